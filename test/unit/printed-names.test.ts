/** Table names in printed commands: a pasted command gets exactly these names. */
import { describe, expect, test } from 'vitest'
import { callsIn } from '../../src/app/whole-commands/call.ts'
import { wholeCommands } from '../../src/app/whole-commands/whole.ts'
import { splitNames } from '../../src/cli/flags/name-list.ts'
import { missingTables, reportedHalt } from '../../src/engine/follow/stream/halt.ts'
import { reportNewTables } from '../../src/engine/follow/stream/planned-tables.ts'
import { shellNames } from '../../src/shared/shell.ts'
import { shellWords } from '../../src/shared/shell-words.ts'

const NAMES = [
  'public.t',
  'sh op.e1',
  'public.a, b $x',
  'Re sort.Bookings "24"',
  'public.Or`ders',
  "public.day's \\ ;x",
  ' s. t ',
]
const whole = wholeCommands(`sluice copy --follow --from "$OLD" --to 'postgresql://a/n,ew%20$x' --config sluice.yaml`)

/** Names that a pasted command passes to the flag. */
function given(text: string, flag: string): readonly string[] {
  const [call] = callsIn(whole(text))
  const words = shellWords((call?.flags.get(flag) ?? []).map((word) => word?.raw).join(' '), {})
  return words.flatMap((word) => splitNames(`--${flag}`, word))
}

describe('names of tables in a printed command', () => {
  test.each(NAMES.map((name) => [name]))('%s', (name) => {
    expect(splitNames('--resync', shellWords(shellNames([name]), {})[0] ?? '')).toEqual([name])
  })

  test('the hint of a halted stream names its tables', () => {
    const fault = { code: 'TABLE_CHANGED', tables: NAMES, message: 'm', since: '0/1' } as const
    const error = reportedHalt('12', [fault], { emit: () => undefined } as never)
    expect(given(error.hint ?? '', 'resync')).toEqual(NAMES)
    expect(whole(error.hint ?? '')).toMatch(/ --config sluice\.yaml; no changes after that position are applied/)
  })

  test('the command for a table outside the stream has its source URL, which a resumed stream has in the ledger', () => {
    const hints: string[] = []
    const run = { emit: ({ hint = '' }: { readonly hint?: string }) => hints.push(hint) }
    const unfollowed = [{ schema: 'public', name: 't' }]
    const operation = { from: 'postgresql://u:p@h/old', with: ['indexes', 'defaults'] as const }
    reportNewTables({ unfollowed } as never, { id: '12' } as never, operation, run as never)
    expect(wholeCommands('sluice follow 12 --to "$NEW"')(hints[0] ?? '')).toContain(
      'sluice copy --follow --from postgresql://u@h/old --tables public.t --with indexes,defaults --to "$NEW" to follow it',
    )
  })

  test('the hint for a missing table names it', () => {
    expect(given(missingTables('12', NAMES).hint ?? '', 'resync')).toEqual(NAMES)
  })
})
