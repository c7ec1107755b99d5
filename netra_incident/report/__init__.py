"""What is told of the incident: notebooks run, pages and minutes written."""
