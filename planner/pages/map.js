/* The app's map (pages/webmap.py): web.js on a page of its own in a frame, told by Streamlit what to show, and telling what was done to it.
   It loads the plan once; a step of a slider or a what-if sends a few bytes. It computes no figure. */
(() => {
  "use strict";
  let kit = null, map = null, args = null, begun = false, editor = null, shownState = "", shownEdit = "", shownView = "";

  // ---- Streamlit's side: a frame says when it is ready, how high it is and what was done; it is told what to show -----------------
  const post = (type, more) => window.parent.postMessage({ isStreamlitMessage: true, type: `streamlit:${type}`, ...more }, "*");
  const tell = (event) => post("setComponentValue", { value: { ...event, at: Date.now() }, dataType: "json" });
  window.addEventListener("message", ({ data }) => {
    if (!data || data.type !== "streamlit:render") return;
    args = data.args;
    // A phone's page must be left room to scroll beside the map.
    post("setFrameHeight", { height: window.innerWidth < 640 ? Math.min(args.height, 460) : args.height });
    if (!begun) { begun = true; load().then(begin); } else if (map) update();
  });
  post("componentReady", { apiVersion: 1 });

  function load() {
    for (const address of args.styles) {
      const link = document.createElement("link");
      Object.assign(link, { rel: "stylesheet", href: address });
      document.head.append(link);
    }
    // Fetched side by side, run in their order.
    return Promise.all(args.scripts.map((address) => new Promise((done, failed) => {
      const script = document.createElement("script");
      Object.assign(script, { src: address, async: false, onload: done, onerror: () => failed(new Error(address)) });
      document.head.append(script);
    })));
  }

  // ---- the map ----------------------------------------------------------------------------------------------------------
  function begin() {
    kit = planner.kit;
    map = L.map("map", { zoomControl: false, maxZoom: 19, minZoom: 8, zoomSnap: 0.5 }).setView([0, 0], 13);
    map.getContainer().tabIndex = 0;
    planner.begin(map);
    const control = L.control.layers(null, null, { collapsed: true });
    for (const [label, fill, more, shown] of args.layers) {
      const layer = L.featureGroup();
      planner[fill](layer, ...more);
      if (shown) layer.addTo(map);
      control.addOverlay(layer, label);
    }
    control.addTo(map);
    kit.tellers.push((event) => { if (args.listens) tell(event); });
    if (args.clock) document.body.append(clockBar());
    editor = edit();
    planner.finish(false);
    map.on("popupopen popupclose", ({ type }) => map.getContainer().classList.toggle("planner-reading", type === "popupopen"));
    keepView();
    update();
    // Whoever drives the page from outside may want to know what is going on inside.
    window.plannerMap = map;
  }
  function update() {
    const state = JSON.stringify(args.state), wanted = JSON.stringify(args.edit);
    // An hour chosen on the clock of this very map stays, whatever the page says of other things.
    const { hour, ...rest } = args.state;
    if (state !== shownState) {
      planner.show(args.clock && shownState ? rest : args.state);
      // Where a place is being edited, the panel beside the map says what it offers; a popup would say what it was.
      if (args.edit && args.listens && args.state.focus) map.closePopup();
    }
    if (wanted !== shownEdit) editor(args.edit);
    if (args.view !== shownView) look(args.view);
    shownState = state;
    shownEdit = wanted;
    map.getContainer().style.cursor = args.edit && args.edit.adding ? "crosshair" : "";
  }

  function look(address) {
    shownView = address;
    if (!address) planner.look(null, "");
    else fetch(address).then((answer) => answer.json()).then((view) => { if (shownView === address) planner.look(view, address); });
  }

  function clockBar() {
    const bar = kit.node("section", "planner-bar");
    bar.setAttribute("aria-label", kit.words.clock);
    bar.append(kit.clock());
    return bar;
  }

  // The view stays from page to page, and maps that are shown side by side move in step.
  function keepView() {
    const name = `planner-view-${kit.plan.run}`, step = args.step && new BroadcastChannel(args.step);
    let following = false;
    const go = ([lat, lng, zoom]) => { following = true; map.setView([lat, lng], zoom, { animate: false }); following = false; };
    try {
      const kept = JSON.parse(sessionStorage.getItem(name));
      if (kept && !args.state.focus) go(kept);
    } catch { /* a browser that keeps nothing shows the whole */ }
    let size = map.getSize();
    map.on("moveend", () => {
      // A frame that changes its size moves the map too, but nobody wished it.
      const same = size.equals(map.getSize());
      size = map.getSize();
      if (following || !same) return;
      const { lat, lng } = map.getCenter(), view = [lat, lng, map.getZoom()];
      try { sessionStorage.setItem(name, JSON.stringify(view)); } catch { /* as above */ }
      if (step) step.postMessage(view);
    });
    if (step) step.onmessage = ({ data }) => go(data);
  }

  // ---- what-if: places that are added, moved, closed or changed, and who gains and loses -----------------------------------------
  const degrees = (at) => ({ x: Number(at.lng.toFixed(7)), y: Number(at.lat.toFixed(7)) });
  function edit() {
    const { plan, svg, symbol, zoomed, stroke } = kit;
    const lines = plan.lines.shape.map(kit.projected), points = plan.points.x.map((x, i) => kit.projected([x, plan.points.y[i]]));
    const none = { lines: [], points: [] };
    let gained = none, lost = none, spec = null, timer = null;
    const colour = { gained: "#0b7a75", lost: "#6d1f3f" };
    const both = [["lost", () => lost], ["gained", () => gained]];
    const layer = L.featureGroup().addTo(map);
    const drawLines = (pen) => both.forEach(([kind, units]) => stroke(pen, units().lines, { color: colour[kind], weight: 4.2 * zoomed(), opacity: 0.95 }));
    const drawPoints = ({ ctx, seen, at }) => both.forEach(([kind, units]) => {
      Object.assign(ctx, { fillStyle: colour[kind], strokeStyle: "#fff", lineWidth: 1, globalAlpha: 1 });
      for (const k of units().points) {
        if (!seen(k)) continue;
        ctx.beginPath();
        ctx.arc(...at(k), 4 * zoomed(), 0, 2 * Math.PI);
        ctx.fill();
        ctx.stroke();
      }
    });
    const drawings = [new kit.Sketch(lines, drawLines, { renderer: kit.canvas.coverage }), new kit.Sketch(points, drawPoints, { renderer: kit.canvas.coverage })];
    drawings.forEach((drawing) => drawing.addTo(layer));

    const touched = new Map();
    const iconOf = (place) => L.divIcon({
      className: `planner-site planner-edited${spec && spec.selected === place.id ? " planner-selected" : ""}`, iconSize: [26, 26], iconAnchor: [13, 13],
      html: svg(symbol(place.shape || "circle", place.state === "closed" ? "closed" : "upgraded", 0, ""), 26),
    });
    function hold(marker, id) {
      marker.options.draggable = true;
      if (marker.dragging) marker.dragging.enable();
      marker.on("dragend", () => tell({ picked: "moved", id, ...degrees(marker.getLatLng()) }));
      if (!args.listens) return;
      // The panel beside the map says what the station offers, as it is being changed: a popup would say what it was, and hide the map.
      marker.unbindPopup();
      const select = () => tell({ picked: "site", id });
      // What is found by its name opens its popup.
      marker.openPopup = () => { select(); return marker; };
      marker.on("click", select);
      marker.on("keydown", ({ originalEvent }) => { if (originalEvent.key === "Enter") select(); });
    }
    const pointOut = (marker, on) => { if (marker.getElement()) marker.getElement().classList.toggle("planner-selected", on); };
    let held = false;
    function draw(wanted) {
      spec = wanted;
      gained = (wanted && wanted.gained) || none;
      lost = (wanted && wanted.lost) || none;
      drawings.forEach((drawing) => drawing.redraw());
      if (wanted && !held) {
        held = true;
        for (const [id, { mark }] of kit.marks) hold(mark, id);
        map.on("zoomend moveend layeradd", ({ layer: added }) => { if (added && added.dragging && added.options.draggable) added.dragging.enable(); });
      }
      const places = new Map(((wanted && wanted.places) || []).map((place) => [place.id, place]));
      for (const [id, one] of touched) {
        if (places.has(id)) continue;
        if (one.own) layer.removeLayer(one.mark);
        else { one.mark.setLatLng(one.at); one.mark.setIcon(one.icon); }
        touched.delete(id);
      }
      for (const place of places.values()) {
        let one = touched.get(place.id);
        if (!one) {
          const base = kit.marks.get(place.id);
          const shown = base && map.hasLayer(base.mark);
          one = shown ? { own: false, mark: base.mark, at: base.mark.getLatLng(), icon: base.mark.options.icon }
            : { own: true, mark: L.marker([place.y, place.x], { icon: iconOf(place), draggable: true, title: place.name }) };
          if (one.own) { layer.addLayer(one.mark); hold(one.mark, place.id); }
          touched.set(place.id, one);
        }
        one.mark.setLatLng([place.y, place.x]);
        one.mark.setIcon(iconOf(place));
        if (one.mark.getElement()) one.mark.getElement().setAttribute("aria-label", place.name);
      }
      for (const [id, { mark }] of kit.marks) pointOut(mark, Boolean(spec) && spec.selected === id);
    }
    map.on("click", ({ latlng }) => {
      // A double click zooms; only a click that stays alone says something.
      clearTimeout(timer);
      timer = setTimeout(() => { if (args.listens) tell({ picked: "place", ...degrees(latlng) }); }, 250);
    });
    map.on("dblclick", () => clearTimeout(timer));
    return draw;
  }
})();
