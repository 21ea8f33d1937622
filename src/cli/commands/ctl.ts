/** ctl: its operands; the implementation is in ../run-ctl.ts. */
import { SluiceError } from '../../shared/errors.ts'
import { givenList, givenText } from '../parse/arguments.ts'
import { controlRequest } from '../runs/ctl.ts'
import type { Command } from './command.ts'

const ctl: Command = {
  request: (args) => {
    const run = givenText(args, 'run') ?? null
    if (run !== null && !/^\d{1,19}$/.test(run)) {
      throw new SluiceError('BAD_FLAG', `RUN ${run} is not the id of a run`, {
        hint: 'give the number after `run` in the first line that the run printed; to list the active runs, use sluice ctl',
      })
    }
    return { kind: 'ctl', run, request: controlRequest(givenList(args, 'setting')) }
  },
}

export const commands = { ctl }
