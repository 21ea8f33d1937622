/** The marker file that identifies the folder of a shared run. */
import { chmodSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { folderDifference, identifiedFolder } from '../../src/app/share/folder-identity.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const said: string[] = []
const warn = (message: string): void => void said.push(message)

test('the first run that writes into a folder creates its only marker', () => {
  using folder = temporaryFolder()
  const read = identifiedFolder(folder.path, false, warn)
  expect(readdirSync(folder.path)).toEqual([])
  const { identity } = identifiedFolder(folder.path, true, warn)
  const [mark] = readdirSync(folder.path)
  expect(identity).toBe(`${read.identity} ${mark}`)
  expect(identifiedFolder(folder.path, true, warn).identity).toBe(identity)
  expect(said).toEqual([])
})

test.skipIf(process.platform !== 'linux')(
  'a folder that this process cannot write to gets no marker, and a warning',
  () => {
    using folder = temporaryFolder()
    chmodSync(folder.path, 0o555)
    // Root can write to any folder on a disk, whatever its mode.
    const denied = process.getuid?.() === 0 ? '/sys/kernel' : folder.path
    const { identity } = identifiedFolder(denied, true, warn)
    expect(identity).toBe(identifiedFolder(denied, false, warn).identity)
    expect(folderDifference(denied, identity)).toBeNull()
    expect(said).toEqual([
      expect.stringMatching(`^sluice cannot write a marker file into ${denied}.*another disk.*(?:EACCES|EPERM|EROFS)`),
    ])
  },
)
