/** runs: lists the runs of a catalog, a ledger, a queue, or this machine. */
import { SluiceError } from '../../shared/errors.ts'
import { requiredCount, givenFlag, given, givenText } from '../parse/arguments.ts'
import { requiredStore } from '../flags/copy-stores.ts'
import { chooseQueue } from '../flags/queue-choice.ts'
import { liveNotes } from '../runs/runs-here.ts'
import { operate, type Command } from './command.ts'

const runs: Command = {
  request: (args, context) => {
    const limit = requiredCount(args, 'limit', 1)
    const isOfCopies = givenText(args, 'to') !== undefined
    const run = givenText(args, 'run')
    const isHere = givenFlag(args, 'here')
    if (givenFlag(args, 'distributed')) {
      if (isHere || isOfCopies)
        throw new SluiceError('BAD_FLAG', `--distributed and --${isHere ? 'here' : 'to'} exclude each other`, {
          hint: 'remove one of the two',
        })
      const connect = chooseQueue(args, context.defaults, context.env)
      const runId = run === undefined ? undefined : runOf(run)
      return operate(
        { kind: 'shared-runs', connect, limit, ...given('runId', runId) },
        { printed: { env: context.env } },
      )
    }
    if (isHere && isOfCopies)
      throw new SluiceError('BAD_FLAG', '--here and --to exclude each other', { hint: 'remove one of the two' })
    if (isHere || (!isOfCopies && run === undefined && context.optionalCatalog() === undefined))
      return { kind: 'runs-here', limit }
    const reported = { printed: {}, live: () => liveNotes(context.env) }
    if (!isOfCopies && run !== undefined) {
      throw new SluiceError('BAD_FLAG', '--run needs --to', {
        hint: 'add --to with the URL of the target database of the copy',
      })
    }
    if (!isOfCopies) return operate({ kind: 'runs', catalog: context.catalog(), limit }, reported)
    const to = requiredStore('to', args, context.defaults, context.env)
    return operate(
      { kind: 'copy-runs', to: to.url, limit, ...given('runId', run === undefined ? undefined : runOf(run)) },
      reported,
    )
  },
}

/** @throws SluiceError BAD_FLAG */
function runOf(word: string): string {
  if (/^\d{1,19}$/.test(word)) return word
  throw new SluiceError('BAD_FLAG', `--run ${word} is not the id of a run`, {
    hint: 'to list the run ids, use sluice runs --to URL',
  })
}

export const commands = { runs }
