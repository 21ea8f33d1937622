/** Reports a sign-off: events, the file of --report, and the end of the run. */
import type { SignOff, SignOffCheck } from '../../../../model/follow/sign-off.ts'
import { signOffText } from '../../../../model/follow/sign-off-text.ts'
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { isJson, writeReport } from '../../../run/report-file.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { signOff } from './declaration.ts'

const STATUS = { ok: 'ok', failed: 'fail', differs: 'warn', 'not checked': 'warn' } as const

/** Emits the checks and the verdict, and writes the file of --report. @returns an error unless the verdict is given */
export async function reportSignOff(
  document: SignOff,
  report: string | undefined,
  run: RunOf<typeof signOff>,
): Promise<Ending> {
  for (const { check, table, outcome, found, hint } of document.checks) {
    run.emit({
      type: 'check',
      area: table ?? document.target.url,
      check,
      status: STATUS[outcome],
      found: outcome === 'not checked' ? `not checked: ${found}` : found,
      ...(hint === undefined ? {} : { hint }),
    })
  }
  const { compared, checks, reasons, verdict, id, by, history } = document
  const rows = (compared?.tables ?? []).reduce((sum, one) => sum + BigInt(one.rows), 0n)
  run.emit({
    type: 'follow.signed',
    id,
    stream: history.stream,
    verdict,
    by,
    ...(compared === null ? {} : { position: compared.position }),
    tables: dec(compared?.tables.length ?? 0),
    rows: dec(rows),
    reasons,
  })
  const text = (file: string): string =>
    isJson(file) ? `${JSON.stringify(document, null, 2)}\n` : signOffText(document)
  const wrote = await writeReport(report, text, run.emit)
  const count = (outcome: SignOffCheck['outcome']): string =>
    dec(checks.filter((one) => one.outcome === outcome).length)
  const ending: Ending = {
    totals: {
      tables: dec(compared?.tables.length ?? 0),
      rows: dec(rows),
      ok: count('ok'),
      failed: count('failed'),
      differing: count('differs'),
      notChecked: count('not checked'),
    },
    ...wrote,
  }
  if (verdict === 'given') return { ...ending, proof: `equal as of ${compared?.position ?? ''}` }
  const differs = compared?.tables.some(({ equal }) => !equal) === true
  return {
    ...ending,
    error: new SluiceError(differs ? 'DIFFERENCES' : 'NOT_SIGNED', `the sign-off is refused: ${reasons[0] ?? ''}`, {
      ...(reasons.length > 1
        ? { reason: `there ${reasons.length === 2 ? 'is one more reason' : `are ${reasons.length - 1} more reasons`}` }
        : {}),
      hint: differs
        ? `run sluice follow ${history.stream} --until-equal to name and repair rows that differ, then sign off again`
        : 'correct what each failed check reports, then sign off again',
    }),
  }
}
