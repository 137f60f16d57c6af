# A host that lies about its files: nothing that it says reaches further than the names that were asked for, the memory and
# the disk that they need, and no control character reaches the terminal. See hostile.bats.
load hostile

@test "an honest host passes all of this" {
    of_any works < <(to "file pattern tree send verified steps beside" honest)
}

@test "names in directories that are none lead nowhere" {
    of_any fails < <(to "tree pattern" "$(with 'f ../x')" "$(with 'f ../../x')" "$(with "f $PWD/1/area/x")" "$(with 'f evil-sub/evil-file')" \
        "$(with 'f evil-a\x00b')" "$(with 'f ')" "$(with "f evil-$(printf '%0100000d' 0)")" "$(with 'd ../victim')")
    # These are names, though strange ones.
    of_any either < <(to "tree pattern" "$(with 'f ..')" "$(with 'd ..')" "$(with 'd .')" "$(with 'f evil-file' 'f evil-file')" \
        "$(with 'f evil-\x1b[31m\x07\x0d\x0a\x7f')" "$(with "f evil-$(printf '%0250d' 0)")")
}

@test "links come as links, and nothing goes through them" {
    lies tree either "$(with 'l forged-link' 'd forged-link')" "$(with 'd forged-link' 'l forged-link')" \
        "$(with 'l forged-link' 'f forged-link')" "$(printf 'link ../../victim\nl forged-l\nd forged-l\nf evil-file')" \
        "$(printf 'link ../../victim\nd forged-l\nl forged-l\nf evil-file')" \
        "$(printf 'link ../../victim/file\nl forged-l\nf forged-l\nf evil-file')" \
        "$(printf 'link \\x1b[31m\nl forged-link\nf evil-file')" "$(printf 'link /etc/passwd\nl forged-link\nf evil-file')" \
        "$(printf 'link-two\nl forged-link\nf evil-file')"
    lies tree fails "$(printf 'link \nl forged-link\nf evil-file')" "$(printf 'link a\\x00b\nl forged-link\nf evil-file')" \
        "$(printf 'link-none\nl forged-link\nf evil-file')" "$(printf 'link %0100000d\nl forged-link\nf evil-file' 0)"
    lies file either "link ../../victim/file"
}

@test "what is no file is not taken for one" {
    of_any fails < <(to "file tree pattern" "type 010000" "type 020000" "type 060000" "type 0140000")
    of_any either < <(to "file tree" "type 0" "type 0170000" type-changes)
    lies file either "type 0120000"
    lies file works "type 0106000"
}

@test "files that are longer or shorter than they are said to be" {
    of_any fails < <(to file "endless 0xffffffffffffffff" "endless 0x4000000000000" "size 0x8000000000000000" "size 0xffffffffffffffff" grows \
        "size 1000" "size 50" size-none attributes-short attributes-kind; to "file tree" data-short "endless 100" \
        "endless 0x8000000000000000" data-more data-too-long)
    lies any either "tree grows" "file attributes-none" "file attributes-more"
    lies file works data-before-end
}

@test "answers to reads that are none" {
    lies file fails data-zero read-ok read-unknown read-escape read-long read-bare read-handle read-kind read-close id-wrong
    lies file either id-twice id-unasked
}

@test "directories without an end" {
    of_any fails < <(to "tree pattern" "dir-endless 1000000" dir-none dir-count dir-short; to tree dir-kind dir-ok dir-deep)
    lies tree works "dir-endless 10" # what is small is asked for in another way
}

@test "a server that dies while it is found out which way they are to come" {
    lies many works honest
    lies many lost "dies-listing 13" "dies-listing 20"
}
