"""Pictures of graphs and programs. Imported only when a picture is asked for."""
