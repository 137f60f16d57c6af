# fish completion for foray
complete -c foray -s j -l jobs -x -d 'At most so many steps at once'
complete -c foray -s k -l keep-going -d 'Go on after failures'
complete -c foray -s K -l kill -d 'End everything at the first failure'
complete -c foray -s n -l dry-run -d 'Print what would run'
complete -c foray -s f -l file -r -d 'Read this file'
complete -c foray -s C -l directory -x -a '(__fish_complete_directories)' -d 'Work there'
complete -c foray -l only -x -d 'Only steps whose names match'
complete -c foray -l except -x -d 'Without steps whose names match'
complete -c foray -l retry -x -d 'Try failing steps so often again'
complete -c foray -l timeout -x -d 'End steps that take longer'
complete -c foray -s F -l ssh-config -r -d 'An ssh configuration'
complete -c foray -n __fish_is_first_arg -a 'run check graph' -d verb
complete -c foray -l format -x -a 'tree dot mermaid json' -d 'How graph draws'
complete -c foray -l rules -d 'graph draws steps as written'
complete -c foray -l keep-scratch -d 'Leave scratch directories'
complete -c foray -s q -l quiet -d 'Less words'
complete -c foray -s v -l verbose -d 'More words'
complete -c foray -l color -x -a 'auto always never' -d Colours
complete -c foray -s h -l help -d Summary
complete -c foray -l version -d Version
complete -c foray -a "(foray -n 2>/dev/null | string replace -rf '^# ([^ []*).*' '\$1' | sort -u)" -d step
