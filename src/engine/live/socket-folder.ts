/** The folder of the sockets of this user's runs on this machine. */
import { lstatSync, readdirSync } from 'node:fs'
import { SluiceError } from '../../shared/errors.ts'

/** Ids of the runs whose sockets stand in the folder, newest first; some may have been left behind by runs that were killed. */
export function runsIn(folder: string): readonly string[] {
  let names: readonly string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names
    .flatMap((name) => /^run-(\d+)\.sock$/.exec(name)?.[1] ?? [])
    .toSorted((a, b) => (BigInt(a) > BigInt(b) ? -1 : 1))
}

/**
 * In a folder that all may write to, another user could stand in for a run.
 * @throws SluiceError TARGET_DENIED
 */
export function refuseStranger(folder: string): void {
  const found = lstatSync(folder, { throwIfNoEntry: false })
  const me = process.getuid?.()
  if (found === undefined || me === undefined || found.uid === me) return
  throw new SluiceError('TARGET_DENIED', 'the folder of control sockets belongs to somebody else', {
    where: folder,
    hint: 'run sluice as the user who started the run, or set XDG_RUNTIME_DIR',
  })
}

/** @param id as it was asked for */
export function noSuchRun(id: string, where: string): SluiceError {
  return new SluiceError('NO_SUCH_PATH', `no run ${id} goes on here`, {
    where,
    hint: 'sluice ctl lists the runs of this user on this machine; one on another machine is steered there',
  })
}
