/** One function an operation; each loads what it needs when it runs. */
import type { Operation } from '../operation.ts'
import type { Ending, Run } from '../run-context.ts'

/** @throws whatever the operation throws; `runOperation` turns it into the last event */
export async function perform(operation: Operation, run: Run): Promise<Ending> {
  switch (operation.kind) {
    case 'discover':
      return (await import('./discover/perform.ts')).discover(operation, run)
    case 'import':
      return (await import('./import/perform.ts')).importOne(operation, run)
    case 'batch-import':
      return (await import('./batch-import/perform.ts')).batchImport(operation, run)
    case 'validate':
      return (await import('./validate/perform.ts')).validate(operation, run)
    case 'performance-compare':
      return (await import('./performance-compare/perform.ts')).compare(operation, run)
    case 'migration-status':
      return (await import('./migration-status/perform.ts')).migrationStatus(operation, run)
    case 'runs':
      return (await import('./migration-status/perform.ts')).recordedRuns(operation, run)
    case 'copy-runs':
      return (await import('./copy-runs/perform.ts')).copyRuns(operation, run)
    case 'verify-rollback':
      return (await import('./rollback/perform.ts')).verifyRollback(operation, run)
    case 'rollback':
      return (await import('./rollback/perform.ts')).rollback(operation, run)
    case 'history':
      return (await import('./history/perform.ts')).history(operation, run)
    case 'files':
      return (await import('./files/perform.ts')).files(operation, run)
    case 'changes':
      return (await import('./changes/perform.ts')).changes(operation, run)
    case 'fsck':
      return (await import('./fsck/perform.ts')).fsck(operation, run)
    case 'sync':
      return (await import('./sync/perform.ts')).sync(operation, run)
    case 'prune':
      return (await import('./prune/perform.ts')).prune(operation, run)
    case 'export-log':
      return (await import('./export-log/perform.ts')).exportLog(operation, run)
    case 'grants':
      return (await import('./grants/perform.ts')).grants(operation, run)
    case 'doctor':
      return (await import('./doctor/perform.ts')).doctor(operation, run)
    case 'sql':
      return (await import('./sql/perform.ts')).sql(operation, run)
    case 'index':
      return (await import('./index/perform.ts')).indexColumns(operation, run)
    case 'copy':
      return operation.script === undefined || operation.dryRun
        ? (await import('./copy/perform.ts')).copy(operation, run)
        : (await import('./copy/script-copy.ts')).scriptCopy(operation, run)
    case 'discover-database':
      return (await import('./discover-database/perform.ts')).discoverDatabase(operation, run)
    case 'tokens':
      return (await import('./tokens/perform.ts')).tokens(operation, run)
    case 'retry-quarantine':
      return (await import('./retry-quarantine/perform.ts')).retryQuarantine(operation, run)
    case 'diff-undo':
      return (await import('./diff-undo/perform.ts')).diffUndo(operation, run)
    case 'diff':
      return (await import('./diff/perform.ts')).diff(operation, run)
    case 'archive':
      return (await import('./archive-run/perform.ts')).archive(operation, run)
    case 'archive-list':
      return (await import('./archive-list/perform.ts')).archiveList(operation, run)
    case 'archive-verify':
      return (await import('./archive-verify/perform.ts')).archiveVerify(operation, run)
    case 'archive-sweep':
      return (await import('./archive-sweep/perform.ts')).archiveSweep(operation, run)
    case 'archive-adopt':
      return (await import('./archive-adopt/perform.ts')).archiveAdopt(operation, run)
    case 'archive-hold':
      return (await import('./archive-hold/perform.ts')).archiveHold(operation, run)
    case 'restore':
      return (await import('./restore/perform.ts')).restore(operation, run)
    case 'query':
      return (await import('./query/perform.ts')).query(operation, run)
    default:
      return unknown(operation)
  }
}

function unknown(operation: never): never {
  throw new Error(`unknown operation ${JSON.stringify(operation)}`)
}
