"""The exchange itself, pure: books, accounts, orders, prices and the events they cause."""
