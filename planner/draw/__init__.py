"""Result -> pictures: style (the one symbology), fonts, the print sheets and the web map."""
