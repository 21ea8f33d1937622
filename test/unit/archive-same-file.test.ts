/** One file may have several paths: on file systems that ignore case, or that store names in another Unicode form. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FilePaths } from '../../src/archive/log/same-file.ts'

let folder = ''
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-paths-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(path: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), path)
}

test('a path among the paths is found, in a bucket no other one', async () => {
  const bucket = new FilePaths(null, ['r=EU/a'])
  expect(await bucket.find('r=EU/a')).toEqual({ path: 'r=EU/a', isMissing: false })
  expect(await bucket.find('r=eu/a')).toBeNull()
})

test('a file is found by its other name, and no other file', async () => {
  write('r=EU/a')
  write('r=us/a')
  symlinkSync('r=EU', join(folder, 'r=eu'))
  const paths = new FilePaths(folder, ['r=US/a', 'r=eu/a'])
  expect(await paths.find('r=EU/a')).toEqual({ path: 'r=eu/a', isMissing: false })
  expect(await new FilePaths(folder, ['r=us/a']).find('r=EU/a')).toBeNull()
})

test('on a file system that respects case, two files are two', async () => {
  write('r=EU/a')
  write('r=eu/a')
  expect(await new FilePaths(folder, ['r=eu/a']).find('r=EU/a')).toBeNull()
})

test('a path without a file may mean the file whose path differs in case or Unicode form', async () => {
  write('r=E\u0301t\u00e9/a')
  const missing = 'r=\u00e9t\u00e9/a'
  expect(await new FilePaths(folder, [missing]).find('r=E\u0301t\u00e9/a')).toEqual({ path: missing, isMissing: true })
  expect(await new FilePaths(folder, ['r=ete/a']).find('r=E\u0301t\u00e9/a')).toBeNull()
})

test('a file that is gone is none of the paths', async () => {
  expect(await new FilePaths(folder, ['r=eu/a']).find('r=EU/a')).toBeNull()
})
