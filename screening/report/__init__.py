"""What a person is shown: tables and progress in the terminal, figures. It formats what it is given."""
