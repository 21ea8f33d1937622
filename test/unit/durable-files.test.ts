/** Files are renamed without overwriting others, also after a kill between the two steps; folders are made. */
import { linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeDurableFolder, renameIfAbsent } from '../../src/shared/durable-files.ts'

let folder = ''
let [from, to] = ['', '']
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-files-'))
  ;[from, to] = [join(folder, 'a'), join(folder, 'b')]
  writeFileSync(from, 'new')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a file gets a free name', async () => {
  await renameIfAbsent(from, to)
  expect(readdirSync(folder)).toEqual(['b'])
  expect(readFileSync(to, 'utf8')).toBe('new')
})

test('another file with the name stays, and so does the file', async () => {
  writeFileSync(to, 'old')
  await expect(renameIfAbsent(from, to)).rejects.toMatchObject({ code: 'EEXIST' })
  expect([readFileSync(from, 'utf8'), readFileSync(to, 'utf8')]).toEqual(['new', 'old'])
})

test('a file with both names loses the first one', async () => {
  linkSync(from, to)
  await renameIfAbsent(from, to)
  expect(readdirSync(folder)).toEqual(['b'])
})

test('a folder is made with its parents, again after another program removed it, and below folders of others', async () => {
  const deep = join(folder, 'x', 'y')
  await makeDurableFolder(deep)
  rmSync(join(folder, 'x'), { recursive: true })
  await makeDurableFolder(deep)
  await makeDurableFolder(deep)
  expect(readdirSync(join(folder, 'x'))).toEqual(['y'])
  await expect(makeDurableFolder(join(from, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})
