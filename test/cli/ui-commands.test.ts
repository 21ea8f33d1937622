/**
 * Printed commands as the UI parses them: shell words, the operation they start, and the read-only operation before it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { planWords, uiCommands } from '../../src/cli/ui/commands.ts'
import type { CommandPort } from '../../src/app/command-port.ts'
import { declarationOf, confirmationName } from '../../src/app/operations/facts.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { shellQuote } from '../../src/shared/shell.ts'
import { shellWords } from '../../src/shared/shell-words.ts'

const NAME = `Book ing's "x" $y`
const URL = 'postgresql://u:se%40cret@h/db'

describe('shell words', () => {
  const printable = fc.string({ unit: fc.constantFrom(...Array.from(`a'"\\$ {}é\n\`;|&*?!~#`)), maxLength: 12 })

  test('are read back as they were quoted', () => {
    fc.assert(
      fc.property(fc.array(printable, { maxLength: 5 }), (words) => {
        expect(shellWords(words.map(shellQuote).join(' '), {})).toEqual(words)
      }),
    )
  })

  test.each([
    `sluice  a\t"b c" 'd'"e"\\ f ''`,
    `"$X" $X \${X}y "\${X}" "\\$X" '$X' "$NOTHING"`,
    `--a='b "c' "d'\\"e\\\\" x\\'y`,
  ])('%s is parsed like sh does', (line) => {
    const env = { X: "h'e$y" }
    const said = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { env: { ...env, PATH: process.env['PATH'] } })
    expect(shellWords(line, env)).toEqual(said.toString().split('\0').slice(0, -1))
  })

  test.each(['a; rm b', 'a | b', 'a > b', '$(a)', '`a`', '"$(a)"', "'open", '"open', 'a*', 'a &', '$X'])(
    '%s is left to a shell',
    (line) => {
      expect(() => shellWords(line, { X: 'two words' })).toThrow(/this command needs a shell/)
    },
  )
})

describe('a printed command', () => {
  let commands: CommandPort
  let folder = ''
  let file = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-ui-'))
    file = join(folder, "con'fig.yaml")
    writeFileSync(
      file,
      stringify({ lifecycle: { [NAME]: { from: '$THE_URL', by: 'Made at', archive: './cold', 'older-than': '2q' } } }),
    )
    commands = await uiCommands({ env: { THE_URL: URL } }, { secrets: ['se%40cret', 'se@cret'], urls: [URL] })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const entry = (): string => `--config ${shellQuote(file)} --table ${shellQuote(NAME)}`
  const ends = '--from "$THE_URL" --to "$THE_URL"'

  test('starts its operation, and its plan is the same operation as a dry run', async () => {
    const line = `sluice partition ensure ${entry()}`
    const { operation, commandLine, plan, notes } = await commands.read(line)
    expect(operation).toMatchObject({
      kind: 'partition-ensure',
      tables: [NAME],
      from: 'postgresql://u@h/db',
      dryRun: false,
    })
    expect(plan).toEqual({ operation: { ...operation, dryRun: true }, commandLine: `${line} --dry-run` })
    expect(commandLine).toBe(line)
    expect(notes).toEqual([])
    expect(JSON.stringify(plan)).not.toContain('cret')
  })

  test.each([
    ['partition run', 'partition-plan', 'sluice partition plan'],
    ['archive run', 'archive', 'sluice archive run'],
    ['partition decommission', 'partition-decommission', 'sluice partition decommission'],
  ])('%s has the plan %s', async (command, kind, begins) => {
    const { operation, plan } = await commands.read(`sluice ${command} ${entry()}`)
    expect(plan?.operation).toMatchObject({ kind, from: 'postgresql://u@h/db' })
    expect(plan?.commandLine).toMatch(new RegExp(`^${begins} `))
    expect(plan?.commandLine).not.toContain('cret')
    // Parse the printed command again.
    const again = await commands.read(`sluice ${command} ${entry()}`)
    expect(again).toEqual({ ...again, operation, plan })
  })

  test('slices come from the command line, and the plan shows all slices', async () => {
    const { operation, plan } = await commands.read(`sluice partition run ${entry()} --slices month:1-2`)
    expect(operation).toMatchObject({ slices: 'month', numbers: { from: 1, through: 2 } })
    expect(plan?.operation).toMatchObject({ kind: 'partition-plan', slices: 'month' })
    expect(plan?.operation).not.toHaveProperty('numbers')
  })

  test.each(['follow 7', 'follow 7 --end', 'sign-off 7', 'follow 7 --alert lag>30s'])(
    'sluice %s has the report of its stream as plan',
    async (command) => {
      const quoted = command.replace('lag>30s', "'lag>30s'")
      const { plan } = await commands.read(`sluice ${quoted} --config ${shellQuote(file)} ${ends}`)
      expect(plan?.operation).toEqual({ kind: 'follow-report', stream: '7', to: 'postgresql://u@h/db' })
      expect(plan?.commandLine).toMatch(/^sluice follow 7 --config .* --from "\$THE_URL" --to "\$THE_URL" --report -$/)
    },
  )

  test('of a form uses the stores of the config file in effect, and names that file', async () => {
    const config = join(folder, 'stores.yaml')
    writeFileSync(config, stringify({ stores: { prod: '$THE_URL', cold: 'sqlite:///cold.db' } }))
    const port = await uiCommands({ env: { THE_URL: URL } }, { secrets: [], urls: [], config })
    const read = await port.readWords(['copy', '--from', 'prod', '--to', 'cold', '--table', 't'])
    expect(read.operation).toMatchObject({ from: 'postgresql://u@h/db', to: 'sqlite:///cold.db' })
    expect(read.commandLine).toBe(`sluice copy --from prod --to cold --table t --config ${config}`)
    expect(await port.complete(['copy', '--from', 'pr'])).toMatchObject([{ word: 'prod' }])
  })

  test('is copied with the program name of this machine', async () => {
    const { called } = await uiCommands({ env: {}, program: 'npm start --' }, { secrets: [], urls: [] })
    expect(called("sluice import 'a && sluice b' && sluice import c")).toBe(
      "npm start -- import 'a && sluice b' && npm start -- import c",
    )
  })

  test('options of the plan keep their values, others are left out', () => {
    const look = { command: 'partition plan', keeps: ['table', 'slices'], add: ['--exact'] }
    const words = [
      'partition',
      'run',
      '--quiesce',
      '--table',
      'a b',
      '--workers=3',
      '--slices=week',
      '--config',
      'f',
      '--first',
      'x',
    ]
    expect(planWords(words, look)).toEqual([
      'partition',
      'plan',
      '--table',
      'a b',
      '--slices=week',
      '--config',
      'f',
      '--exact',
    ])
  })

  test.each([
    ['sluice partition ensur --table x', 'BAD_FLAG'],
    ['sluice ctl 7 stop', 'BAD_FLAG'],
    ['sluice partition ensure --config /no/such/file --table x', 'BAD_CONFIG'],
  ])('%s cannot be started', async (line, code) => {
    await expect(commands.read(line)).rejects.toMatchObject({ code })
  })

  test('operations that need a typed name report where to find it', () => {
    for (const kind of ['cutover', 'partition-decommission', 'archive'] as const)
      for (const destruction of declarationOf(kind).destroys ?? []) expect(destruction.named).toBeDefined()
  })

  test('the typed name is that of the dry run, and absent if the dry run has none', async () => {
    const reported = (body: EventBody): Event => ({ v: 1, seq: 1, ts: '', runId: null, ...body })
    const { operation } = await commands.read(`sluice partition decommission ${entry()}`)
    const step = { type: 'decommission.step', table: 's.old', public: 's.new', status: 'planned' } as const
    expect(confirmationName(operation, [reported({ ...step, step: 'inactive' })])).toBeNull()
    expect(confirmationName(operation, [reported({ ...step, step: 'dropped' })])).toMatchObject({
      confirm: 'confirm',
      name: 's.old',
    })
    const { operation: inPlace } = await commands.read(
      'sluice partition in-place --from "$THE_URL" --table t --by at --slice Q2',
    )
    for (const waited of ['switch', 'slice', 'revert'] as const)
      expect(
        confirmationName(inPlace, [
          reported({ type: 'partition.step', table: 't', step: waited, status: 'planned', detail: '' }),
        ]),
      ).toMatchObject({ name: 't' })
    const archive = await commands.read(`sluice archive run ${entry()}`)
    expect(confirmationName(archive.operation, [])).toBeNull()
    const dropping = await commands.read(`sluice archive run ${entry()} --drop`)
    expect(confirmationName(dropping.operation, [])).toMatchObject({ name: NAME })
    const ensure = await commands.read(`sluice partition ensure ${entry()}`)
    expect(confirmationName(ensure.operation, [])).toBeNull()
  })
})
