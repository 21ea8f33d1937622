/** The floor of discover: walks a lake and parses every commit it finds, once. Called with DIR. */
import fs from 'node:fs'
import path from 'node:path'

let actions = 0
for (const entry of fs.readdirSync(process.argv[2], { withFileTypes: true, recursive: true })) {
  if (!/^\d{20}\.json$/.test(entry.name)) continue
  const text = fs.readFileSync(path.join(entry.parentPath ?? entry.path, entry.name), 'utf8')
  for (const line of text.split('\n')) if (line !== '' && JSON.parse(line)) actions++
}
process.stdout.write(`${actions}\n`)
