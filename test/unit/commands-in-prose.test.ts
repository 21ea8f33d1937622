/**
 * Calls of sluice in texts are completed to commands that can be pasted. In a sentence, a word after the verb would
 * become an operand.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { callsIn } from '../../src/app/whole-commands/call.ts'

/** Calls with a lower-case word as operand: real operands are placeholders in capitals, or inserted by the program. */
function proseIn(text: string): readonly string[] {
  return callsIn(text)
    .filter(({ operands }) => operands.some(({ raw }) => /^[a-z]+$/.test(raw)))
    .map(({ words }) => words.map(({ raw }) => raw).join(' '))
}

test('no text has a word of a sentence as the operand of a call', () => {
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
