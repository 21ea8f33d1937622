// `node .` runs the program in a clone. A package has its bin alone.
import './dist/cli/bin.js'
