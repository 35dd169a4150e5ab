"""What the service keeps: tables, migrations, and the queries by thing."""
