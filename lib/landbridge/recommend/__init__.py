"""The step that writes the daily table: score the audience, audit, publish in one commit."""
