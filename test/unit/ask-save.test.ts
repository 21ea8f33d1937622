/** An error on a file that cannot be saved names the path that the user gave. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { saveText } from '../../src/app/ask/save.ts'

let folder = ''
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'sluice-save-'))))
afterAll(() => rmSync(folder, { recursive: true }))

test.each([
  ['a folder that is not there', 'absent/rows.csv', 'there is no folder'],
  ['a file where a folder should be', 'file/rows.csv', 'is not a folder'],
])('%s', async (_name, below, why) => {
  writeFileSync(join(folder, 'file'), '')
  const path = join(folder, below)
  const error = await saveText(path, 'x', false).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ code: 'BAD_FLAG', where: path })
  expect(String(error)).toContain(path)
  expect(String(error)).toContain(why)
  expect(JSON.stringify(error)).not.toContain('.part')
  expect(readdirSync(folder)).toEqual(['file'])
})
