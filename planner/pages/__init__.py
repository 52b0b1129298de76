"""The app's pages: widgets only. Every figure is the Result's; no rule of the domain lives here."""
