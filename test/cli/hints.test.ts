/** Commands in texts of the program: each accepts the flags that the text gives it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandNamed } from '../../src/cli/parse/command-list.ts'
import { GLOBAL_NAMES } from '../../src/cli/parse/globals.ts'

const ROOT = new URL('../../src/', import.meta.url).pathname
/** A command up to the end of its sentence or quote. */
const CALLED = /\bsluice ([a-z][a-z-]+)((?: (?!&&)[^`'";,:\n)]*)?)/g
test('no command in a text has an ellipsis', () => {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name))
  const wrong: string[] = []
  for (const file of files) {
    for (const line of readFileSync(join(ROOT, file), 'utf8').split('\n')) {
      if (/^\s*(?:\*|\/\*|\/\/)/.test(line)) continue
      for (const [call] of line.matchAll(CALLED)) if (call.includes('…')) wrong.push(`${file}: ${call}`)
      // Nor does a URL.
      for (const [url] of line.matchAll(/\b[a-z]+:\/{2,3}…/g)) wrong.push(`${file}: ${url}`)
    }
  }
  expect(wrong.filter((one) => !one.includes('of.words.join'))).toEqual([])
})

test('every command in a text has only flags that it accepts', () => {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name))
  const wrong: string[] = []
  let seen = 0
  for (const file of files) {
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const line of text.split('\n')) {
      // Comments are not printed.
      if (/^\s*(?:\*|\/\*|\/\/)/.test(line)) continue
      for (const [, name = '', rest = ''] of line.matchAll(CALLED)) {
        const command = commandNamed(name)
        // A sentence about the program, not a command.
        if (command === null) continue
        seen += 1
        const known = new Set([
          ...GLOBAL_NAMES,
          ...command.takes.flatMap(({ name: flag, alias }) => [flag, alias ?? flag]),
        ])
        for (const [, flag = ''] of rest.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g))
          if (!known.has(flag) && !known.has(flag.replace(/^no-/, ''))) wrong.push(`${file}: sluice ${name} --${flag}`)
      }
    }
  }
  expect(wrong).toEqual([])
  expect(seen).toBeGreaterThan(100)
})

test('no command continues as a sentence, and --report has a value', () => {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name))
  const wrong: string[] = []
  for (const file of files) {
    for (const line of readFileSync(join(ROOT, file), 'utf8').split('\n')) {
      if (/^\s*(?:\*|\/\*|\/\/)/.test(line)) continue
      // Two commands in one text, a command followed by a colon, and --report without a value.
      const runsOn =
        /\bsluice [a-z-]+ [^'`]*, then sluice |\bsluice [a-z-]+ \$\{\w+\}: |\bsluice follow [^'`;]*--report[;'`]/
      if (runsOn.test(line)) wrong.push(`${file}: ${line.trim()}`)
    }
  }
  expect(wrong).toEqual([])
})
