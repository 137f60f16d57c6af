# A shell script as a C string: without comments and indentation, which need not travel to every host.
/^[[:space:]]*#/d
s/^[[:space:]]*//
/^$/d
s/\\/\\\\/g
s/"/\\"/g
s/.*/    "&\\n"/
