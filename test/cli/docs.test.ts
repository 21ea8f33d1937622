/** The pages of documentation that name commands, codes and events say what the program does. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { format } from 'prettier'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/command-list.ts'
import { topHelp, toolVersion } from '../../src/cli/help.ts'
import { commandHelp } from '../../src/cli/parse.ts'
import { GROUPS } from '../../src/engine/run/operations/pages.ts'
import { ERROR_CODES, EXIT_OF_KIND } from '../../src/shared/errors.ts'
import { EVENT_TYPES, eventJsonSchema, noDrift } from './event-schema.ts'
import { noSignOffDrift, signOffJsonSchema } from './sign-off-schema.ts'

const root = path.join(import.meta.dirname, '..', '..')
const golden = (name: string): string => path.join(import.meta.dirname, 'golden', name)
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

describe('help', () => {
  it('lists every command once, in its group, within 80 columns', async () => {
    const page = topHelp('0.1.0')
    await expect(page).toMatchFileSnapshot(golden('help.txt'))
    expect(page.split('\n').filter((line) => line.length > 80)).toEqual([])
    const listed = [...page.matchAll(/^ {2}([a-z][a-z-]+)(?: \[?[A-Z]+\]?)* {2,}/gm)].map((match) => match[1])
    expect(listed).toEqual(
      GROUPS.flatMap((group) => COMMANDS.filter((command) => command.group === group)).map(({ name }) => name),
    )
    expect(toolVersion()).toMatch(/^\d+\.\d+\.\d+/)
  })
  it('of each command', async () => {
    const pages: string[] = []
    for (const { name } of COMMANDS) pages.push(await commandHelp(name))
    for (const page of pages) expect(page.split('\n').filter((line) => line.length > 80)).toEqual([])
    await expect(pages.join(`${'-'.repeat(80)}\n`)).toMatchFileSnapshot(golden('help-of-commands.txt'))
  })
})

describe('docs/EXIT-CODES.md', () => {
  const page = read('docs/EXIT-CODES.md')
  it('lists every code with its exit code', () => {
    const listed = [...page.matchAll(/^\| ([A-Z][A-Z_]+) +\| (\d+) +\|/gm)].map((match) => [match[1], Number(match[2])])
    const known = Object.entries(ERROR_CODES).map(([code, kind]) => [code, EXIT_OF_KIND[kind]])
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(known))
  })
  it('lists every exit code with its kind', () => {
    const listed = [...page.matchAll(/^\| (\d+) +\| (\w+) +\|/gm)].map((match) => [match[2], Number(match[1])])
    expect(Object.fromEntries(listed)).toEqual(EXIT_OF_KIND)
  })
})

describe('docs/EVENTS.md', () => {
  it('names every event', () => {
    const listed = [...read('docs/EVENTS.md').matchAll(/^\| `([a-z.]+)` +\|/gm)].map((match) => match[1] ?? '')
    const talked = read('docs/EVENTS.md').includes('`log`: `level`') ? ['log'] : []
    expect([...listed, ...talked].toSorted()).toEqual([...EVENT_TYPES].toSorted())
  })
  it('has a JSON schema that fits the program', async () => {
    expect(noDrift).toBe(true)
    const schema = await format(eventJsonSchema(), { parser: 'json', printWidth: 120 })
    await expect(schema).toMatchFileSnapshot(path.join(root, 'docs', 'events.schema.json'))
  })
})

describe('docs/sign-off.schema.json', () => {
  it('fits the program', async () => {
    expect(noSignOffDrift).toBe(true)
    const schema = await format(signOffJsonSchema(), { parser: 'json', printWidth: 120 })
    await expect(schema).toMatchFileSnapshot(path.join(root, 'docs', 'sign-off.schema.json'))
  })
})
