/** Compares whole screens with files; UPDATE_GOLDEN=1 rewrites those that differ. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'vitest'

const folder = new URL('../golden/', import.meta.url)

/** Without blanks at the ends of lines: which of them are written depends on the screens before. */
const visible = (text: string): string => text.replaceAll(/ +$/gm, '')

/** Compares `screen` with the file `name`.txt. */
export function expectGolden(name: string, screen: string): void {
  const file = new URL(`${name}.txt`, folder)
  const text = visible(`${screen}\n`)
  const known = existsSync(file) ? visible(readFileSync(file, 'utf8')) : null
  const isUpdate = process.env['UPDATE_GOLDEN'] === '1'
  if (known === null && !isUpdate && process.env['CI'] !== undefined) throw new Error(`no golden file for ${name}`)
  if (known !== null && !isUpdate) return expect(text).toBe(known)
  mkdirSync(folder, { recursive: true })
  if (text !== known) writeFileSync(file, text)
}
