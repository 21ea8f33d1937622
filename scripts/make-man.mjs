/** Writes the pages of the manual into dist/man, from the program that was built: `npm pack` brings them along. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMMANDS } from '../build/cli/command-list.js'
import { toolVersion } from '../build/cli/help.js'
import { manFile, manPage } from '../build/cli/man.js'

const folder = new URL('../dist/man/', import.meta.url).pathname
mkdirSync(folder, { recursive: true })
for (const command of [null, ...COMMANDS]) {
  writeFileSync(join(folder, manFile(command?.name ?? null)), manPage(command, toolVersion()))
}
