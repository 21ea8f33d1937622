/** Every command and every action has examples, and the program accepts all of them. */
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/parse/command-list.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { EXAMPLES } from '../../src/app/operations/examples.ts'
import { actionsOf } from '../../src/app/operations/facts.ts'
import { shellWords } from '../../src/shared/shell-words.ts'

const env = { SLUICE_DATABASE_URL: 'sqlite:///env.db' }
/** Removes a pipe or a redirection. */
const typed = (line: string): string => line.replace(/ (?:\||>>) .*$/, '')
const wanted = COMMANDS.flatMap(({ name }) => {
  const actions = [...new Set(actionsOf(name).map((action) => action.name))]
  return actions.length === 0 ? [name] : actions.map((action) => `${name} ${action}`)
})

describe('examples', () => {
  it('exist for every command and action, and for nothing else', () => {
    expect(Object.keys(EXAMPLES).toSorted()).toEqual(wanted.toSorted())
    for (const lines of Object.values(EXAMPLES)) expect(lines.length).toBeGreaterThanOrEqual(2)
    for (const lines of Object.values(EXAMPLES)) expect(lines.length).toBeLessThanOrEqual(3)
  })
  it.each(Object.entries(EXAMPLES).flatMap(([name, lines]) => lines.map((line) => [name, line] as const)))(
    '%s: %s',
    async (name, line) => {
      expect(line.startsWith(name)).toBe(true)
      // These need a table from a config file.
      if (name.startsWith('lifecycle status') || name === 'schedule add') return
      await expect(parseCommandLine(shellWords(typed(line), env), env)).resolves.toBeDefined()
    },
  )
})
