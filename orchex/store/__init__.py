"""What outlives a process: SQLModel tables, their repositories, migrations, and the blob folder."""
