"""The app: `streamlit run app.py`. The pages are in planner/pages; `planner app` opens the same."""

from planner.pages.entry import run

run()
