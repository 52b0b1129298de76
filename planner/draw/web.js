/* Draws a plan (window.plannerData, made by webdata.py) with Leaflet: in map.html and in the app's map alike.
   Text from a user's tables is set as text, never as HTML. It computes no figure: whatever is shown stands in the data. */
const planner = (() => {
  "use strict";
  const plan = window.plannerData, words = plan.words, colours = plan.style.colours, never = plan.moments.length;
  const state = { moment: plan.moments.length - 1, group: "", hour: null };
  const painters = [], listeners = [], found = [], marks = new Map();
  let map = null, focused = null;

  // ---- small helpers ------------------------------------------------------------------------------------------------
  const node = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const place = (thing) => L.latLng(thing.y / 1e6, thing.x / 1e6);
  const decode = (flat) => {
    const line = [];
    for (let i = 0, x = 0, y = 0; i < flat.length; i += 2) {
      x += flat[i];
      y += flat[i + 1];
      line.push(L.latLng(y / 1e6, x / 1e6));
    }
    return line;
  };
  // A shape as the script draws it: vertices in pixels of zoom 0, which is a multiplication away from any other zoom.
  const projected = (flat) => {
    const line = new Float64Array(flat.length);
    for (let i = 0, x = 0, y = 0; i < flat.length; i += 2) {
      x += flat[i];
      y += flat[i + 1];
      const at = L.CRS.EPSG3857.latLngToPoint(L.latLng(y / 1e6, x / 1e6), 0);
      line[i] = at.x;
      line[i + 1] = at.y;
    }
    return line;
  };
  const unpacked = (patterns) => patterns.map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
  const allBits = unpacked(plan.patterns);
  // Another look at the same units: one service alone, or circles against streets (webdata.py, `service_view` and `circle_view`).
  let view = null, bits = allBits;
  function look(other, name) {
    view = other;
    bits = view && view.patterns ? unpacked(view.patterns) : allBits;
    show({ view: name });
  }
  const bitOf = (week, hour) => (week[hour >> 3] >> (7 - (hour & 7))) & 1;
  const isOpen = (pattern, hour) => bitOf(bits[pattern], hour);
  const siteWeeks = unpacked(plan.site_weeks);
  // What a person did is told; what the page itself was told to show is not told back to it.
  const tellers = [];
  let told = false;
  const tell = (event) => told || tellers.forEach((hear) => hear(event));

  // Thousands of shapes as one thing for Leaflet: it is told where they lie, and draws them by itself in a few strokes. A path each, as
  // Leaflet has it, is clipped, simplified and looked at again whenever anything changes.
  const Sketch = L.Path.extend({
    options: { interactive: false },
    initialize(shapes, draw, options) {
      L.setOptions(this, options);
      this._shapes = shapes;
      this._draw = draw;
      this._boxes = shapes.map((flat) => {
        const box = [Infinity, Infinity, -Infinity, -Infinity];
        for (let i = 0; i < flat.length; i += 2) {
          box[0] = Math.min(box[0], flat[i]);
          box[1] = Math.min(box[1], flat[i + 1]);
          box[2] = Math.max(box[2], flat[i]);
          box[3] = Math.max(box[3], flat[i + 1]);
        }
        return box;
      });
    },
    redraw() { if (this._map) this._renderer._updatePath(this); return this; },
    _project() {
      this._scale = this._map.getZoomScale(this._map.getZoom(), 0);
      this._origin = this._map.getPixelOrigin();
      const far = 1e7;
      this._pxBounds = L.bounds([-far, -far], [far, far]);
    },
    _update() { this._updatePath(); },
    _containsPoint: () => false,
    _updatePath() {
      const renderer = this._renderer;
      if (!renderer._drawing) return;
      const { min, max } = renderer._bounds, scale = this._scale, { x: left, y: top } = this._origin, margin = 30;
      const view = [(min.x + left - margin) / scale, (min.y + top - margin) / scale, (max.x + left + margin) / scale, (max.y + top + margin) / scale];
      const seen = (k) => { const box = this._boxes[k]; return box[0] <= view[2] && box[2] >= view[0] && box[1] <= view[3] && box[3] >= view[1]; };
      this._draw({
        ctx: renderer._ctx,
        seen,
        trace: (k) => {
          const flat = this._shapes[k], ctx = renderer._ctx;
          ctx.moveTo(flat[0] * scale - left, flat[1] * scale - top);
          for (let i = 2; i < flat.length; i += 2) ctx.lineTo(flat[i] * scale - left, flat[i + 1] * scale - top);
        },
        at: (k) => [this._shapes[k][0] * scale - left, this._shapes[k][1] * scale - top],
      });
    },
  });
  // One stroke of many shapes; a long path takes the browser more than its parts, so it is cut.
  const PART = 400;
  function stroke({ ctx, seen, trace }, shapes, { color, weight, opacity = 1 }) {
    Object.assign(ctx, { strokeStyle: color, lineWidth: weight, globalAlpha: opacity, lineCap: "butt", lineJoin: "round" });
    let open = 0;
    ctx.beginPath();
    for (const k of shapes) {
      if (!seen(k)) continue;
      trace(k);
      if (++open % PART === 0) { ctx.stroke(); ctx.beginPath(); }
    }
    ctx.stroke();
  }

  // ---- the map itself -----------------------------------------------------------------------------------------------
  const canvas = {};
  function begin(newMap) {
    map = newMap;
    document.documentElement.lang = plan.lang === "zh" ? "zh-CN" : plan.lang;
    for (const [name, colour] of Object.entries(plan.style)) {
      if (typeof colour === "string") document.documentElement.style.setProperty("--" + name, colour);
    }
    for (const [pane, z] of [["water", 210], ["streets", 220], ["coverage", 230], ["names", 240], ["marks", 420]]) {
      map.createPane(pane).style.zIndex = z;
      // A canvas takes the clicks of all below it; only the topmost is to be clicked.
      if (pane !== "marks") map.getPane(pane).style.pointerEvents = "none";
      canvas[pane] = L.canvas({ pane, padding: 0.3 });
    }
    map.getContainer().setAttribute("role", "application");
    map.getContainer().setAttribute("aria-label", words.map);
    const credit = node("span"), more = [plan.note && words.sketch, plan.run].filter(Boolean).join(" · ");
    credit.append(plan.credit, node("span", "planner-wide", " · " + more));
    map.attributionControl.setPrefix(false).addAttribution(credit.innerHTML);
    L.control.scale({ imperial: false, position: "bottomleft" }).addTo(map);
    L.control.zoom({ zoomInTitle: words.zoom_in, zoomOutTitle: words.zoom_out, position: "topright" }).addTo(map);
    map.on("zoomend", repaint);
  }
  const zoomed = () => Math.min(3, Math.max(0.6, 1.3 ** (map.getZoom() - 13)));
  const whole = () => map.fitBounds(plan.bounds, { padding: [12, 12] });
  const repaint = () => painters.forEach((paint) => paint());
  function show({ focus: wanted, ...change }) {
    Object.assign(state, change);
    repaint();
    listeners.forEach((listen) => listen());
    if (wanted && wanted !== focused) { told = true; focus(wanted); told = false; }
    focused = wanted;
  }

  // ---- base ---------------------------------------------------------------------------------------------------------
  const drawnBase = [];
  function water(layer) {
    drawnBase.push(layer);
    const style = { renderer: canvas.water, interactive: false, color: plan.style.water_edge, weight: 0.8, fillColor: plan.style.water, fillOpacity: 1 };
    for (const body of plan.water) L.polygon(body.polygons.map((rings) => rings.map(decode)), style).addTo(layer);
  }
  function streets(layer) {
    drawnBase.push(layer);
    plan.streets.forEach((rank, i) => {
      const all = rank.map((_, k) => k);
      const draw = (pen) => stroke(pen, all, { color: plan.style.street, weight: (0.7 + 0.9 * i) * zoomed() });
      new Sketch(rank.map(projected), draw, { renderer: canvas.streets }).addTo(layer);
    });
  }
  // Online base maps that the study allows. Nothing is asked for before somebody presses the button; the drawn base then makes room.
  function onlineChoice() {
    let shown = [], credit = "";
    const box = node("div"), row = node("div", "planner-choice");
    const buttons = [{ name: words.offline, tiles: [] }, ...plan.online].map((base) => {
      const button = node("button", "", base.name);
      button.type = "button";
      button.addEventListener("click", () => {
        shown.forEach((tiles) => map.removeLayer(tiles));
        if (credit) map.attributionControl.removeAttribution(credit);
        shown = base.tiles.map((url) => L.tileLayer(url, { subdomains: "01234567", maxZoom: 19, maxNativeZoom: 18 }).addTo(map));
        credit = base.credit || "";
        if (credit) map.attributionControl.addAttribution(credit);
        drawnBase.forEach((layer) => (shown.length ? map.removeLayer(layer) : map.addLayer(layer)));
        buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      });
      button.setAttribute("aria-pressed", String(!base.tiles.length));
      row.append(button);
      return button;
    });
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", words.online);
    box.append(row, node("p", "planner-small", words.online_note));
    return box;
  }
  function names(layer) {
    const labels = [...plan.water.filter((body) => body.name), ...plan.zones].map((thing) => L.marker(place(thing), {
      pane: "names", interactive: false, keyboard: false,
      icon: L.divIcon({ className: "planner-zone" + (thing.polygons ? " river" : ""), html: node("span", "", thing.name), iconSize: [160, 20] }),
    }));
    for (const zone of plan.zones) found.push({ rank: 1, id: zone.id, name: zone.name, more: words.zones, open: () => { map.setView(place(zone), 15, { animate: false }); tell({ picked: "zone", id: zone.id }); } });
    let zoom = null;
    painters.push(() => {
      if (zoom === map.getZoom()) return;
      zoom = map.getZoom();
      // The first come, first served; what would overlap waits for a closer look.
      const taken = [];
      for (const label of labels) {
        const at = map.latLngToLayerPoint(label.getLatLng());
        const free = taken.every((other) => Math.abs(other.x - at.x) > 86 || Math.abs(other.y - at.y) > 22);
        if (free) taken.push(at);
        if (free !== layer.hasLayer(label)) free ? layer.addLayer(label) : layer.removeLayer(label);
      }
    });
  }

  // Layers that are not shown at first: their symbols stand in the legend while they are.
  const optional = {};
  const isShown = (name) => Boolean(optional[name]) && map.hasLayer(optional[name]);
  function areas(layer) {
    optional.areas = layer;
    const style = { renderer: canvas.water, interactive: false, color: colours[0], weight: 1, opacity: 0.5, fillColor: colours[0], fillOpacity: 0.12 };
    const area = L.polygon([], style).addTo(layer);
    let moment = null;
    painters.push(() => {
      if (moment === state.moment) return;
      moment = state.moment;
      area.setLatLngs(plan.areas[moment].map((rings) => rings.map(decode)));
    });
  }

  // ---- coverage -----------------------------------------------------------------------------------------------------
  // Classes: the moment from which a unit is covered (0, 1, …), `never`; at an hour: served, unserved, off.
  const served = never + 1, unserved = never + 2, off = never + 3, claimed = never + 4;
  function classOf(kind, i) {
    const base = plan[kind], units = { ...base, ...(view && view[kind]) };
    if (state.group !== "" && base.group[i] !== state.group) return -1;
    if (view && view.claimed) return base.from[i] <= state.moment ? base.from[i] : units.circled[state.moment][i] ? claimed : never;
    if (state.hour === null) return units.from[i] <= state.moment ? units.from[i] : never;
    if (!plan.profiles[plan.groups[units.group[i]].id][state.hour]) return off;
    return isOpen(units.pattern[state.moment][i], state.hour) ? served : unserved;
  }
  const colourOf = (kind) => kind === claimed ? view.claimed.colour : kind < never ? colours[kind] : kind === served ? colours[Math.min(1, never - 1)] : kind === off ? plan.style.faint : plan.style.gap;
  const isGap = (kind) => kind === never || kind === unserved;
  function coverage(layer) {
    const kinds = [off, never, unserved, served, ...colours.keys(), claimed];
    const lines = plan.lines.shape.map(projected);
    const points = plan.points.x.map((x, i) => projected([x, plan.points.y[i]]));
    let strokes = [], dots = [], drawn = "";
    const drawLines = (pen) => strokes.forEach(({ kind, width, all }) => stroke(pen, all, {
      color: colourOf(kind), opacity: isGap(kind) ? 0.6 : 0.95, weight: (isGap(kind) ? 0.5 + 0.55 * width : 1.2 + 0.85 * width) * zoomed(),
    }));
    const drawPoints = ({ ctx, seen, at }) => dots.forEach((kind, i) => {
      if (kind < 0 || !seen(i)) return;
      Object.assign(ctx, { strokeStyle: plan.style.paper, lineWidth: 0.6, fillStyle: colourOf(kind), globalAlpha: isGap(kind) ? 0.6 : 0.9 });
      ctx.beginPath();
      ctx.arc(...at(i), (1.4 + 0.8 * plan.points.width[i]) * zoomed(), 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    });
    const drawings = [new Sketch(lines, drawLines, { renderer: canvas.coverage }), new Sketch(points, drawPoints, { renderer: canvas.coverage })];
    drawings.forEach((drawing) => drawing.addTo(layer));
    painters.push(() => {
      const wanted = JSON.stringify(state);
      if (wanted === drawn) return;
      drawn = wanted;
      const parts = new Map(kinds.flatMap((kind) => [0, 1, 2, 3].map((width) => [kind * 4 + width, { kind, width, all: [] }])));
      lines.forEach((_, i) => {
        const kind = classOf("lines", i);
        if (kind >= 0) parts.get(kind * 4 + plan.lines.width[i]).all.push(i);
      });
      strokes = [...parts.values()].filter(({ all }) => all.length);
      dots = points.map((_, i) => classOf("points", i));
      drawings.forEach((drawing) => drawing.redraw());
    });
  }

  // ---- gaps ---------------------------------------------------------------------------------------------------------
  function popup(title, rows) {
    const box = node("div", "planner-popup");
    box.append(node("h3", "", title));
    const table = node("table");
    for (const [heading, cell] of rows) {
      const row = node("tr");
      row.append(node("th", "", heading), node("td", "", cell));
      table.append(row);
    }
    box.append(table);
    return box;
  }
  // A popup keeps clear of the search box above it.
  const CLEAR = { autoPanPaddingTopLeft: [12, 60] };
  const LABELLED = 10, SMALL = 0.15;
  function gaps(layer) {
    const most = Math.max(1e-9, ...plan.gaps.map((gap) => gap.left[0]));
    const halo = L.polyline([], { renderer: canvas.streets, interactive: false, color: plan.style.gap, weight: 12, opacity: 0.35 });
    const marks = plan.gaps.map((gap, i) => {
      const mark = L.circleMarker(place(gap), { renderer: canvas.marks, color: plan.style.gap, weight: 1.2, fillColor: plan.style.gap, fillOpacity: 0.22 });
      mark.bindPopup(() => popup(gap.title, gap.rows), { minWidth: 230, maxWidth: 320, ...CLEAR });
      mark.on("popupopen", () => {
        halo.setLatLngs(plan.lines.shape.filter((_, k) => plan.lines.gap[k] === i).map(decode)).addTo(layer);
        tell({ picked: "gap", id: gap.id });
      });
      mark.on("popupclose", () => layer.removeLayer(halo));
      const label = i < LABELLED && L.marker(place(gap), {
        pane: "marks", interactive: false, keyboard: false,
        icon: L.divIcon({ className: "planner-rank", html: node("span", "", String(i + 1)), iconSize: [24, 16] }),
      });
      const one = { gap, all: label ? [mark, label] : [mark], pinned: false };
      found.push({ rank: 2, id: gap.id, name: gap.title, more: gap.rows[0][1], open: () => {
        one.pinned = true;
        repaint();
        if (!map.hasLayer(layer)) map.addLayer(layer);
        go(gap, mark);
      } });
      return one;
    });
    // What is small beside the largest gap shows when one looks closer.
    painters.push(() => marks.forEach(({ gap, all, pinned }) => {
      const part = gap.left[state.moment] / most, near = map.getZoom() >= 15;
      const shown = pinned || (state.hour === null && (state.group === "" || gap.group === state.group) && (part >= SMALL || (near && part > 0.002)));
      all[0].setRadius(Math.max(4, 24 * Math.sqrt(part)));
      all.forEach((mark) => { if (shown !== layer.hasLayer(mark)) shown ? layer.addLayer(mark) : layer.removeLayer(mark); });
    }));
  }
  function go(thing, mark) {
    map.setView(place(thing), Math.max(map.getZoom(), 15), { animate: false });
    mark.openPopup();
  }

  // ---- sites --------------------------------------------------------------------------------------------------------
  const FILLS = {
    existing: () => [plan.style.ink, "#fff", 1.6, "#fff"],
    upgraded: () => ["#fff", plan.style.ink, 2.6, plan.style.ink],
    chosen: (moment) => [colours[moment], plan.style.ink, 1.6, plan.style.inks[moment]],
    closed: () => ["none", plan.style.muted, 1.6, plan.style.muted],
  };
  function symbol(shape, status, moment, number) {
    const [fill, stroke, width, ink] = FILLS[status](moment);
    const digits = /^\d+$/.test(number) ? `<text text-anchor="middle" y="3.6" font-size="${number.length > 2 ? 8 : 10}" ` +
      `font-weight="600" font-family="system-ui, sans-serif" fill="${ink}" stroke="none">${number}</text>` : "";
    const cross = status === "closed" ? '<path d="M-6-6 6 6M6-6-6 6"/>' : "";
    return `<g fill="${fill}" stroke="${stroke}" stroke-width="${width}" stroke-linejoin="round"><path d="${plan.style.outlines[shape]}"/>${cross}${digits}</g>`;
  }
  const svg = (content, px) => `<svg width="${px}" height="${px}" viewBox="-14 -14 28 28" aria-hidden="true">${content}</svg>`;
  function icon(site, status) {
    const number = status === "existing" ? "" : site.number;
    const px = Math.round((status === "existing" ? 17 : 25) * site.size);
    const half = px / 2;
    return L.divIcon({ className: "planner-site", iconSize: [px, px], iconAnchor: [half, half], popupAnchor: [0, -half],
      html: svg(symbol(site.shape, status, site.moment, number), px) });
  }
  function marker(site, layer, mark) {
    mark.bindPopup(() => {
      const box = popup(site.name, site.rows);
      if (site.status !== "candidate") box.querySelector("h3").after(miniClock(site));
      return box;
    }, { minWidth: 240, maxWidth: 340, ...CLEAR });
    mark.on("popupopen", () => tell({ picked: "site", id: site.id }));
    found.push({ rank: 0, id: site.id, name: site.name, more: [site.id, site.host].filter((s) => s && s !== site.name).join(" · "),
      open: () => { if (!map.hasLayer(layer)) map.addLayer(layer); if (site.status === "chosen" && site.moment > state.moment) show({ moment: site.moment }); go(site, mark); } });
    return mark;
  }
  function sites(layer, planned) {
    const own = plan.sites.filter((site) => site.status !== "candidate" && (site.status === "chosen") === planned).map((site) => ({
      site, mark: marker(site, layer, L.marker(place(site), { icon: icon(site, site.status), title: site.name, riseOnHover: true })),
    }));
    own.forEach((one) => marks.set(one.site.id, one));
    let moment = null;
    painters.push(() => {
      if (moment === state.moment) return;
      moment = state.moment;
      for (const { site, mark } of own) {
        const done = site.moment <= moment;
        if (planned && !done) layer.removeLayer(mark);
        else if (!layer.hasLayer(mark)) layer.addLayer(mark);
        if (!planned) mark.setIcon(icon(site, done ? site.status : "existing"));
        mark.setZIndexOffset(planned || site.status === "upgraded" ? 500 : 0);
      }
    });
  }
  // A week at a glance, a row a day: when people are at work, and on top of it when the site is open at the moment that is shown.
  const STEP = 5, ROW = 8;
  function miniClock(site) {
    const box = node("div", "planner-week"), week = siteWeeks[site.weeks[state.moment]];
    const works = (hour) => plan.groups.some((group, i) => (state.group === "" || state.group === i) && plan.profiles[group.id][hour] > 0);
    let bars = "";
    for (let day = 0; day < 7; day++) {
      const bar = (from, to, y, high, fill) => `<rect x="${from * STEP}" y="${day * ROW + y}" width="${(to - from) * STEP}" height="${high}" fill="${fill}"/>`;
      for (const [test, y, high, fill] of [[works, 0, ROW - 1, "#efc7ac"], [(hour) => bitOf(week, hour), 1, ROW - 3, plan.style.ink]]) {
        for (let k = 0, from = -1; k <= 48; k++) {
          const on = k < 48 && test(day * 48 + k);
          if (on && from < 0) from = k;
          if (!on && from >= 0) { bars += bar(from, k, y, high, fill); from = -1; }
        }
      }
    }
    const high = 7 * ROW;
    const days = words.days.map((text, i) => `<text x="-3" y="${i * ROW + 6.4}" text-anchor="end">${text.replace("周", "").slice(0, 2)}</text>`).join("");
    const hours = [0, 6, 12, 18, 24].map((h) => `<path d="M${2 * h * STEP} 0V${high}"/><text x="${2 * h * STEP}" y="${high + 9}" text-anchor="middle">${h}</text>`).join("");
    box.innerHTML = `<svg viewBox="-22 0 270 ${high + 12}" role="img"><g fill="${plan.style.muted}" stroke="none">${bars}</g>` +
      `<g class="planner-scale" fill="${plan.style.muted}" stroke="${plan.style.faint}">${days}${hours}</g></svg>`;
    box.firstChild.setAttribute("aria-label", words.open_week);
    box.append(node("small", "planner-small", words.open_week));
    return box;
  }
  function candidates(layer) {
    optional.candidates = layer;
    const style = { renderer: canvas.marks, radius: 3.5, color: plan.style.muted, weight: 1.2, fillColor: "#fff", fillOpacity: 0.9 };
    for (const site of plan.sites) if (site.status === "candidate") marker(site, layer, L.circleMarker(place(site), style)).addTo(layer);
  }

  // ---- search -------------------------------------------------------------------------------------------------------
  function search() {
    const control = L.control({ position: "topleft" });
    control.onAdd = () => {
      const box = node("div", "planner-search"), input = node("input"), list = node("ul");
      Object.assign(input, { type: "search", placeholder: words.search, autocomplete: "off" });
      input.setAttribute("aria-label", words.search);
      list.setAttribute("role", "listbox");
      let hits = [];
      const look = () => {
        const asked = input.value.trim().toLowerCase();
        const says = (text) => Boolean(text) && text.toLowerCase().includes(asked);
        // What bears the name comes before what only mentions it; then sites, zones, gaps.
        hits = !asked ? [] : found.filter((hit) => [hit.name, hit.id, hit.more].some(says))
          .sort((a, b) => says(b.name) - says(a.name) || a.rank - b.rank).slice(0, 12);
        list.replaceChildren(...hits.map((hit) => {
          const row = node("li", "", hit.name);
          row.setAttribute("role", "option");
          row.append(node("small", "", hit.more));
          row.addEventListener("click", () => choose(hit));
          return row;
        }));
        if (asked && !hits.length) list.append(node("li", "planner-small", words.nothing_found));
      };
      const choose = (hit) => { list.replaceChildren(); input.value = hit.name; hit.open(); };
      input.addEventListener("input", look);
      input.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && hits.length) choose(hits[0]);
        if (event.key === "Escape") { input.value = ""; look(); }
      });
      box.append(input, list);
      L.DomEvent.disableClickPropagation(box);
      L.DomEvent.disableScrollPropagation(box);
      return box;
    };
    control.addTo(map);
  }

  // ---- legend -------------------------------------------------------------------------------------------------------
  function legend() {
    const box = node("div", "planner-legend");
    const list = (rows) => {
      const ul = node("ul");
      for (const [drawing, text] of rows) {
        const li = node("li");
        li.innerHTML = drawing;
        li.append(text);
        ul.append(li);
      }
      box.append(ul);
    };
    const dash = (colour, width) => `<svg width="30" height="12" aria-hidden="true"><path d="M1 6h28" stroke="${colour}" stroke-width="${width}"/></svg>`;
    const mark = (shape, status, moment) => svg(symbol(shape, status, moment, status === "existing" ? "" : "1"), 22);
    const paint = () => {
      box.replaceChildren();
      const by_walk = state.hour === null || (view && view.claimed);
      if (view && view.claimed) list([[dash(view.claimed.colour, 4), view.claimed.text]]);
      list(by_walk
        ? [...plan.classes.slice(0, state.moment + 1).map((text, i) => [dash(colours[i], 4), text]),
           [dash(plan.style.gap, 2), state.moment === never - 1 ? words.never : words.not_yet]]
        : [[dash(colourOf(served), 4), words.served_now], [dash(plan.style.gap, 2), words.unserved_now], [dash(plan.style.faint, 2), words.off_now]]);
      box.append(node("p", "planner-small", words.width));
      if (plan.gaps.length) {
        list([[`<svg width="30" height="22" aria-hidden="true"><circle cx="15" cy="11" r="9" fill="${plan.style.gap}" fill-opacity=".2" stroke="${plan.style.gap}"/></svg>`, words.gap_size]]);
      }
      list(plan.legend.states.map(([status, text]) => [mark("circle", status, 1), text]));
      const more = [
        ["candidates", svg(`<circle r="6" fill="#fff" stroke="${plan.style.muted}" stroke-width="2"/>`, 22)],
        ["areas", `<svg width="30" height="14" aria-hidden="true"><rect x="1" y="1" width="28" height="12" fill="${colours[0]}" fill-opacity=".12" stroke="${colours[0]}" stroke-opacity=".5"/></svg>`],
      ];
      list(more.filter(([name]) => isShown(name)).map(([name, drawing]) => [drawing, words[name]]));
      box.append(node("p", "planner-small", words.by_mode));
      list(plan.legend.modes.map(([shape, text]) => [svg(`<g fill="none" stroke="${plan.style.ink}" stroke-width="2"><path d="${plan.style.outlines[shape]}"/></g>`, 20), text]));
    };
    listeners.push(paint);
    map.on("overlayadd overlayremove", paint);
    paint();
    return box;
  }

  // ---- the panel of map.html ----------------------------------------------------------------------------------------
  function choice(label, options, key, value) {
    const box = node("div", "planner-choice");
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", label);
    const buttons = options.map(([text, chosen]) => {
      const button = node("button", "", text);
      button.type = "button";
      button.addEventListener("click", () => show({ [key]: chosen }));
      box.append(button);
      return [button, chosen];
    });
    const press = () => buttons.forEach(([button, chosen]) => button.setAttribute("aria-pressed", String((value ? value() : state[key]) === chosen)));
    listeners.push(press);
    press();
    return box;
  }
  const groupId = () => (state.group === "" ? "" : plan.groups[state.group].id);
  function figures() {
    const box = node("div", "planner-figures");
    const fill = () => box.replaceChildren(...plan.moments[state.moment].figures[groupId()].map(([label, figure, note]) => {
      const row = node("div");
      row.append(node("span", "", label), node("b", "", figure), node("small", "planner-small", note));
      return row;
    }));
    box.setAttribute("aria-live", "polite");
    listeners.push(fill);
    fill();
    return box;
  }
  function clock() {
    const box = node("div", "planner-clock"), chart = node("div"), out = node("output", "planner-small");
    const range = node("input"), label = node("label"), follow = node("input");
    let day = 0, slot = 14;
    Object.assign(range, { type: "range", min: 0, max: 47, value: slot });
    range.setAttribute("aria-label", words.hour);
    follow.type = "checkbox";
    label.append(follow, " " + words.at_time);
    const scale = node("div", "planner-hours");
    for (let h = 0; h <= 24; h += 6) scale.append(node("span", "", String(h)));
    // Some is never shown as none, nor nearly all as all.
    const share = (part) => part > 0 && part < 0.0005 ? "<0.1%" : part < 1 && part >= 0.9995 ? ">99.9%" : (100 * part).toFixed(1) + "%";
    const time = (k) => String(k >> 1).padStart(2, "0") + (k & 1 ? ":30" : ":00");
    const days = node("div", "planner-choice planner-days");
    days.setAttribute("role", "group");
    days.setAttribute("aria-label", words.day);
    words.days.forEach((text, i) => {
      const button = node("button", "", text);
      button.type = "button";
      button.addEventListener("click", () => { day = i; move(); });
      days.append(button);
    });
    const fill = () => {
      const { at_work, covered } = plan.hours[state.moment][groupId()], top = Math.max(1e-9, ...at_work), begin = day * 48;
      let bars = "";
      for (let k = 0; k < 48; k++) {
        const high = 62 * at_work[begin + k] / top, low = 62 * covered[begin + k] / top;
        if (high) bars += `<rect x="${k * 5}" y="${64 - high}" width="4.4" height="${high}" fill="#efc7ac"/>`;
        if (low) bars += `<rect x="${k * 5}" y="${64 - low}" width="4.4" height="${low}" fill="${colourOf(served)}"/>`;
      }
      chart.innerHTML = `<svg viewBox="0 0 240 66" preserveAspectRatio="none" role="img"><path d="M0 64.5h240" stroke="#cfcbc2"/>` +
        `<rect x="${slot * 5 - 0.6}" y="0" width="5.6" height="65" fill="none" stroke="${plan.style.ink}" stroke-width="1"/>${bars}</svg>`;
      chart.firstChild.setAttribute("aria-label", words.clock);
      chart.append(scale);
      const people = at_work[begin + slot], with_site = covered[begin + slot];
      const sentence = people ? words.at_work : words.nobody;
      out.textContent = sentence.replace("{when}", `${words.days[day]} ${time(slot)}`).replace("{people}", Math.round(people).toLocaleString())
        .replace("{covered}", Math.round(with_site).toLocaleString()).replace("{share}", share(with_site / people));
      [...days.children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === day)));
    };
    const move = () => {
      slot = Number(range.value);
      if (follow.checked || state.hour !== null) show({ hour: follow.checked ? day * 48 + slot : null });
      else fill();
    };
    range.addEventListener("input", move);
    follow.addEventListener("change", move);
    chart.addEventListener("click", (event) => {
      const frame = chart.getBoundingClientRect();
      range.value = Math.floor(48 * (event.clientX - frame.left) / frame.width);
      move();
    });
    box.append(node("p", "planner-small", words.clock_note), chart, range, out, days, label);
    // The hour may be set from outside too.
    listeners.push(() => {
      follow.checked = state.hour !== null;
      if (follow.checked) { day = Math.floor(state.hour / 48); slot = state.hour % 48; range.value = slot; }
      fill();
    });
    fill();
    return box;
  }
  function panel() {
    const side = node("aside", "planner-panel");
    side.setAttribute("aria-label", words.panel);
    side.append(node("h1", "", plan.title));
    if (plan.scope) side.append(node("p", "planner-small", plan.scope));
    if (plan.note) side.append(node("p", "planner-small planner-note", plan.note));
    if (plan.moments.length > 1) side.append(choice(words.moment, plan.moments.map((moment, i) => [moment.name, i]), "moment"));
    if (plan.groups.length > 1) side.append(choice(words.group, [[words.everyone, ""], ...plan.groups.map((group, i) => [group.name, i])], "group"));
    side.append(figures(), node("h2", "", words.clock), clock(), node("h2", "", words.legend), legend(), node("h2", "", words.layers));
    const layers = map.getContainer().querySelector(".leaflet-control-layers-list");
    if (layers) {
      const control = layers.closest(".leaflet-control-layers");
      side.append(layers);
      control.remove();
    }
    if (plan.online.length) side.append(node("h2", "", words.online), onlineChoice());
    side.append(node("p", "planner-small planner-foot", [plan.credit, plan.run].filter(Boolean).join(" · ")));
    document.body.classList.add("planner-page");
    document.body.append(side);
    map.invalidateSize({ animate: false });
  }

  // ---- the app's map, and the last step of both ---------------------------------------------------------------------
  function legendControl() {
    const control = L.control({ position: "bottomright" });
    control.onAdd = () => {
      const box = node("details", "planner-card");
      box.append(node("summary", "", words.legend), legend());
      L.DomEvent.disableClickPropagation(box);
      L.DomEvent.disableScrollPropagation(box);
      return box;
    };
    control.addTo(map);
  }
  function finish(withPanel) {
    search();
    if (withPanel) panel();
    else legendControl();
    whole();
    repaint();
    document.documentElement.dataset.planner = "ready";
  }
  const focus = (id) => { const hit = found.find((one) => one.id === id); if (hit) hit.open(); };

  // What the app's own script builds on (planner/pages/map.js).
  const kit = { L: window.L, plan, words, state, node, place, popup, projected, Sketch, stroke, canvas, svg, symbol, zoomed, clock, tellers, marks };
  return { begin, water, streets, names, areas, coverage, gaps, sites, candidates, finish, show, look, focus, state, kit };
})();
