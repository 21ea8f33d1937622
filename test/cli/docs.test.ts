/** Documentation of commands, codes and events agrees with the program. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { format } from 'prettier'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/parse/command-list.ts'
import { topHelp } from '../../src/cli/help/help.ts'
import { toolVersion } from '../../src/cli/version.ts'
import type { CommandLineDocument } from '../../src/cli/help/help-json.ts'
import { hiddenOptions } from '../../src/cli/parse/option-flags.ts'
import { commandHelp, parseCommandLine } from '../../src/cli/parse/parse.ts'
import { GLOBAL_OPTIONS } from '../../src/engine/run/operations/global-options.ts'
import { GROUPS } from '../../src/engine/run/operations/pages.ts'
import { ERROR_CODES, EXIT_OF_KIND } from '../../src/shared/errors.ts'
import { commandLineJsonSchema, commandLineSchema, noCommandLineDrift } from './command-line-schema.ts'
import { EVENT_TYPES, eventJsonSchema } from './event-schema.ts'
import { signOffJsonSchema } from './sign-off-schema.ts'

const root = path.join(import.meta.dirname, '..', '..')
const golden = (name: string): string => path.join(import.meta.dirname, 'golden', name)
/** Separator of two pages. */
const RULE = `${'-'.repeat(80)}\n`
/** The line of an option on a page, without options whose longer names begin the same. */
const optionLine = (name: string): RegExp => new RegExp(`^ {2,6}(?:-\\w, )?(?:--[a-z-]+, )?--${name}(?:,| |$)`, 'm')
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
    await expect(pages.join(RULE)).toMatchFileSnapshot(golden('help-of-commands.txt'))
  })
  it('of each command has at most ten own options, and names --help=all', async () => {
    for (const command of COMMANDS) {
      const { name, takes, first } = command
      const page = await commandHelp(name)
      const later = hiddenOptions(command)
      const shown = takes.filter((one) => one.operand !== true && one.hidden !== true && !later.includes(one))
      expect(shown.length, name).toBeLessThanOrEqual(10)
      for (const option of shown) expect(page, name).toMatch(optionLine(option.name))
      // A line of an example may also begin with an option.
      const [options = ''] = page.split('\nExamples:\n')
      for (const option of later) expect(options, name).not.toMatch(optionLine(option.name))
      for (const word of first ?? []) expect(shown.map((option) => option.name)).toContain(word)
      const end = `\`sluice ${name} --help=all\` shows the other ${later.length} options.\n`
      if (later.length > 0) expect(page.endsWith(`\n${end}`), name).toBe(true)
      else expect(page).not.toContain('--help=all')
    }
  })
  it('of each command shows every option with --help=all', async () => {
    const pages: string[] = []
    for (const { name, takes } of COMMANDS) {
      const page = await commandHelp(name, true)
      for (const option of takes)
        if (option.operand !== true && option.hidden !== true) expect(page, name).toMatch(optionLine(option.name))
      expect(page.split('\n').filter((line) => line.length > 80)).toEqual([])
      pages.push(page)
    }
    await expect(pages.join(RULE)).toMatchFileSnapshot(golden('help-all-of-commands.txt'))
  })
  it.each(['alerts', 'background'])('has a page on %s, which commands refer to', async (topic) => {
    const { request } = await parseCommandLine([topic, '--help'], {})
    const page = request.kind === 'help' ? request.text : ''
    await expect(page).toMatchFileSnapshot(golden(`help-${topic}.txt`))
    expect(page.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(await commandHelp('copy')).toContain(`sluice help ${topic}`)
    expect(await commandHelp('runs')).not.toContain(`sluice help ${topic}`)
  })
})

describe('help as JSON', () => {
  const json = async (...words: readonly string[]): Promise<CommandLineDocument> => {
    const { request } = await parseCommandLine(words, {})
    return commandLineSchema.parse(JSON.parse(request.kind === 'help' ? request.text : ''))
  }
  it('has every command with every option and positional of its declaration', async () => {
    const { commands, globalOptions, exitCodes } = await json('--help', '--json')
    expect(commands.map(({ name }) => name)).toEqual(COMMANDS.map(({ name }) => name))
    for (const [at, { takes }] of COMMANDS.entries()) {
      const { options = [], positionals = [], actions = [], name } = commands[at] ?? {}
      const declared = (operand: boolean): readonly string[] =>
        takes.filter((one) => (one.operand === true) === operand).map((one) => one.name)
      expect(
        options.map((one) => one.name),
        name,
      ).toEqual(declared(false))
      expect(
        positionals.map((one) => one.name),
        name,
      ).toEqual(declared(true))
      for (const { name: called, type, alias, choices, describe: words } of takes) {
        expect([...options, ...positionals].find((one) => one.name === called)).toMatchObject({
          description: words,
          repeatable: type === 'list',
          ...(alias === undefined ? {} : { alias }),
          ...(choices === undefined ? {} : { choices }),
        })
      }
      // An action has only options of its command.
      const known = new Set([...options, ...positionals, ...globalOptions].map((one) => one.name))
      expect(
        actions.flatMap((action) => action.options.filter((one) => !known.has(one))),
        name,
      ).toEqual([])
    }
    expect(globalOptions.map(({ name }) => name)).toEqual(GLOBAL_OPTIONS.map(({ name }) => name))
    expect(exitCodes.map(({ code }) => code)).toEqual(
      [...new Set([0, ...Object.values(EXIT_OF_KIND), 130, 143])].toSorted((a, b) => a - b),
    )
  })
  it('has the defaults, bounds and positionals of the parser', async () => {
    const { commands } = await json('schedule', '--help=all', '--json')
    expect(commands.map(({ name }) => name)).toEqual(['schedule'])
    expect(commands[0]).toMatchObject({
      usage: 'sluice schedule <action> [name] [command..]',
      positionals: [
        {
          name: 'action',
          required: true,
          repeatable: false,
          choices: expect.arrayContaining(['add', 'print']) as unknown,
        },
        { name: 'name', required: false, repeatable: false },
        { name: 'command', required: false, repeatable: true },
      ],
    })
    expect(commands[0]?.options.find(({ name }) => name === 'tasks')).toMatchObject({
      type: 'number',
      default: 1,
      first: true,
    })
    expect(commands[0]?.options.find(({ name }) => name === 'catch-up')).toMatchObject({ first: false, hidden: false })
  })
  it('has a JSON schema that matches the program', async () => {
    expect(noCommandLineDrift).toBe(true)
    const schema = await format(commandLineJsonSchema(), { parser: 'json', printWidth: 120 })
    await expect(schema).toMatchFileSnapshot(path.join(root, 'docs', 'command-line.schema.json'))
  })
})

describe('docs/reference/EXIT-CODES.md', () => {
  const page = read('docs/reference/EXIT-CODES.md')
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

describe('docs/reference/EVENTS.md', () => {
  it('names every event', () => {
    const listed = [...read('docs/reference/EVENTS.md').matchAll(/^\| `([a-z.]+)` +\|/gm)].map(
      (match) => match[1] ?? '',
    )
    const talked = read('docs/reference/EVENTS.md').includes('`log`: `level`') ? ['log'] : []
    expect([...listed, ...talked].toSorted()).toEqual([...EVENT_TYPES].toSorted())
  })
  it('has a JSON schema that matches the program', async () => {
    const schema = await format(eventJsonSchema(), { parser: 'json', printWidth: 120 })
    await expect(schema).toMatchFileSnapshot(path.join(root, 'docs', 'events.schema.json'))
  })
})

describe('docs/sign-off.schema.json', () => {
  it('matches the program', async () => {
    const schema = await format(signOffJsonSchema(), { parser: 'json', printWidth: 120 })
    await expect(schema).toMatchFileSnapshot(path.join(root, 'docs', 'sign-off.schema.json'))
  })
})
