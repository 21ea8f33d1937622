import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { uiMemory } from '../../src/cli/ui/memory.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sluice-memory-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (catalog: string) => uiMemory(['./lake', catalog, null], { XDG_STATE_HOME: folder })

it('keeps one small file per place, without the password, and ignores an invalid one', () => {
  const memory = at('postgresql://me:hidden@h/db')
  expect(memory.read()).toBeNull()
  memory.write({ filter: 'x' })
  expect(memory.read()).toMatchObject({ filter: 'x' })
  // Another password is the same place; another database is another place.
  expect(at('postgresql://me:other@h/db').read()).toMatchObject({ filter: 'x' })
  expect(at('postgresql://me@h/db2').read()).toBeNull()
  const places = join(folder, 'sluice', 'places')
  const [file = ''] = readdirSync(places)
  expect(readdirSync(places)).toHaveLength(1)
  expect(statSync(join(places, file)).mode & 0o777).toBe(0o600)
  expect(JSON.stringify(memory.read())).not.toContain('hidden')
  writeFileSync(join(places, file), '{"filter": "tor')
  expect(memory.read()).toBeNull()
})

it('ignores a state folder that cannot be written', () => {
  mkdirSync(join(folder, 'sluice'))
  writeFileSync(join(folder, 'sluice', 'places'), 'a file where a folder should be')
  chmodSync(join(folder, 'sluice'), 0o500)
  const memory = at('sqlite:///c.db')
  memory.write({ filter: 'x' })
  expect(memory.read()).toBeNull()
})
