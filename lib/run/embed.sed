# keeper.sh as a C string: without comments and indentation, which need not travel to every host.
1i\
/* Made from keeper.sh. */\
static const char keeper_script[] =
$a\
    ;
/^[[:space:]]*#/d
s/^[[:space:]]*//
/^$/d
s/\\/\\\\/g
s/"/\\"/g
s/.*/    "&\\n"/
