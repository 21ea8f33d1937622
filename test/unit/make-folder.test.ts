/**
 * Folders that a user names are made with their parents; if that is impossible, the call fails and does not retry for
 * ever.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeFolder, makeFolderSync } from '../../src/shared/make-folder.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const WAYS: readonly (readonly [string, typeof makeFolder])[] = [
  ['while the caller goes on', makeFolder],
  ['while the caller waits', async (...given) => makeFolderSync(...given)],
]

describe.each(WAYS)('%s', (_name, make) => {
  test('a folder is made with its parents, and may exist already', async () => {
    using at = temporaryFolder()
    const folder = join(at.path, 'a', 'b', 'c')
    expect(await make(folder, 0o700)).toBe(join(at.path, 'a'))
    expect(await make(folder)).toBeNull()
    expect(existsSync(folder)).toBe(true)
    expect([join(at.path, 'a'), folder].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o700])
  })

  test('a file in the way is refused', async () => {
    using at = temporaryFolder()
    writeFileSync(join(at.path, 'file'), '')
    await expect(make(join(at.path, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(make(join(at.path, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  test.skipIf(process.platform !== 'linux')('a file system that allows no folders gives an error', async () => {
    await expect(make('/proc/sluice-test/below')).rejects.toThrow(/^E[A-Z]+/)
  })
})

test('folders with the same missing parents are made concurrently', async () => {
  using at = temporaryFolder()
  for (let round = 0; round < 200; round++) {
    const names = Array.from({ length: 8 }, (_, i) => join(at.path, `r${round}`, 'a', 'b', `own${i}`))
    await Promise.all(names.map((name) => makeFolder(name)))
    expect(names.every((name) => existsSync(name))).toBe(true)
  }
})
