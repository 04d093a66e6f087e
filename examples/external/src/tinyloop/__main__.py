from tinyloop.train import main

main()
