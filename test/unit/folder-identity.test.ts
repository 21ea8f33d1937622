/** The mark of a folder that a shared run writes into. */
import { chmodSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { folderDifference, identifiedFolder } from '../../src/app/share/folder-identity.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const said: string[] = []
const warn = (message: string): void => void said.push(message)

test('a folder has one mark, made by the first run that writes into it', () => {
  using folder = temporaryFolder()
  const read = identifiedFolder(folder.path, false, warn)
  expect(readdirSync(folder.path)).toEqual([])
  const { identity } = identifiedFolder(folder.path, true, warn)
  const [mark] = readdirSync(folder.path)
  expect(identity).toBe(`${read.identity} ${mark}`)
  expect(identifiedFolder(folder.path, true, warn).identity).toBe(identity)
  expect(said).toEqual([])
})

test.skipIf(process.platform !== 'linux')('one that only its workers may write into has none, and that is said', () => {
  using folder = temporaryFolder()
  chmodSync(folder.path, 0o555)
  // No mode keeps root out of a folder of a disk.
  const denied = process.getuid?.() === 0 ? '/sys/kernel' : folder.path
  const { identity } = identifiedFolder(denied, true, warn)
  expect(identity).toBe(identifiedFolder(denied, false, warn).identity)
  expect(folderDifference(denied, identity)).toBeNull()
  expect(said).toEqual([expect.stringMatching(`^${denied} gets no mark.*another disk.*(?:EACCES|EPERM|EROFS)`)])
})
