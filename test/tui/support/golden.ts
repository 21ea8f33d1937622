/** Compares whole screens with files; UPDATE_GOLDEN=1 rewrites them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'vitest'

const folder = new URL('../golden/', import.meta.url)

/** Compares `screen` with the file `name`.txt. */
export function expectGolden(name: string, screen: string): void {
  const file = new URL(`${name}.txt`, folder)
  const text = `${screen}\n`
  if (process.env['UPDATE_GOLDEN'] === '1' || !existsSync(file)) {
    if (process.env['CI'] !== undefined && process.env['UPDATE_GOLDEN'] !== '1')
      throw new Error(`no golden file for ${name}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, text)
  }
  expect(text).toBe(readFileSync(file, 'utf8'))
}
