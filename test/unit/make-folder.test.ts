/** Folders that a user names, made with those above them; where none can be, that is said and not tried for ever. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../src/shared/make-folder.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

test('a folder is made with those above it, and may be there', async () => {
  using at = temporaryFolder()
  const folder = join(at.path, 'a', 'b', 'c')
  await makeFolder(folder)
  await makeFolder(folder)
  expect(existsSync(folder)).toBe(true)
})

test('a file in the way is refused', async () => {
  using at = temporaryFolder()
  writeFileSync(join(at.path, 'file'), '')
  await expect(makeFolder(join(at.path, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(at.path, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test.skipIf(process.platform !== 'linux')('a file system that takes no folder is refused', async () => {
  await expect(makeFolder('/proc/sluice-test/below')).rejects.toThrow(/^E[A-Z]+/)
})
