/** Writes docs/reference/KEYS.md from the keymap of the build. */
import { writeFileSync } from 'node:fs'
import { keysDoc } from '../build/tui/keymap/keys-doc.js'

writeFileSync(new URL('../docs/reference/KEYS.md', import.meta.url), keysDoc())
