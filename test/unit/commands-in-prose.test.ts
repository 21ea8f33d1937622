/** What begins like a command in a text becomes one that can be pasted: a sentence that goes on behind a verb of sluice would lose its words to it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { callsIn } from '../../src/app/whole-commands/call.ts'

/** Calls whose operand is a word of a sentence: placeholders are in capitals, and what a run is about is put in by the program. */
function proseIn(text: string): readonly string[] {
  return callsIn(text)
    .filter(({ operands }) => operands.some(({ raw }) => /^[a-z]+$/.test(raw)))
    .map(({ words }) => words.map(({ raw }) => raw).join(' '))
}

test('no text takes a word of its sentence for an operand', () => {
  expect(proseIn('read whole; sluice validate compares them with the commits')).toEqual(['validate compares'])
  expect(proseIn('sluice fsck TABLE looks at them; sluice fsck --deep; sluice diff names the rows')).toEqual([])
  const root = join(import.meta.dirname, '../../src')
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const lines = readFileSync(join(root, name), 'utf8').split('\n')
      return lines
        .filter((line) => !/^\s*(?:\/?\*|\/\/)/.test(line))
        .flatMap((line) => proseIn(line).map((call) => `${name}: ${call}`))
    })
  expect(found).toEqual([])
})
