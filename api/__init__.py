"""The Cloud API: FastAPI over the engine and the store. ``app.create_app`` puts it together; no SQL is here."""
