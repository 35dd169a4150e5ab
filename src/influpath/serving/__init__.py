"""Running influence campaigns: a service, its engine, its store, and a page to look at paths."""
