" Files of sanc's intermediate representation.
autocmd BufRead,BufNewFile *.sanir setfiletype sanir
