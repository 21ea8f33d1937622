// `node .` runs the program in a clone. A package has its bin alone.
import { existsSync } from 'node:fs'

const program = new URL('./dist/cli/bin.js', import.meta.url)
if (existsSync(program)) await import(program.href)
else {
  process.stderr.write(
    'this clone is not built: npm start builds it and opens the demo; npm run build only builds it\n',
  )
  process.exitCode = 2
}
