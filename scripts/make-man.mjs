/** Writes the manual pages to dist/man, from the built program; `npm pack` includes them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMMANDS } from '../build/cli/parse/command-list.js'
import { toolVersion } from '../build/cli/version.js'
import { manFile, manPage } from '../build/cli/help/man.js'

const folder = new URL('../dist/man/', import.meta.url).pathname
mkdirSync(folder, { recursive: true })
for (const command of [null, ...COMMANDS]) {
  writeFileSync(join(folder, manFile(command?.name ?? null)), manPage(command, toolVersion()))
}
