"""One module for each tab of the page: `add(page)` makes it."""
