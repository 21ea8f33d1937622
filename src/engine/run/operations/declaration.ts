/** What an operation is, as data: what it touches, what it takes away, how it shows. Faces ask here, and list no kinds of their own. */
import type { AlertCause } from '../../../model/run/alert.ts'
import type { EventType } from '../../../model/run/event.ts'
import type { CommandDeclaration } from './option.ts'
import type { Actions, Words } from './words.ts'

/**
 * How a run shows itself. `long`: it is watched on the Run screen, where there is a terminal. `lines`: it tells what it does, line by line. `listing`: its whole
 * purpose is what it prints; it changes nothing, and may end when nobody reads any more. `answer`: it prints like a listing, and may change something.
 */
export type Shape = 'long' | 'lines' | 'listing' | 'answer'

/**
 * What a name of a store means. `catalog`, `database`: a URL, which may hold a password. `lake`: a path with tables below it. `table`: a path with a
 * `_delta_log` below it, or the id of a table in the catalog. `folder`: where files are written, here or in a bucket.
 */
export type StoreFamily = 'catalog' | 'database' | 'lake' | 'table' | 'folder'

export type FieldOf<O> = Extract<keyof O, string>

export type StoreField<O> = {
  /** Field of the operation that names the store, or several; nothing is touched where it is absent. */
  readonly field: FieldOf<O>
  readonly family: StoreFamily
  /** `write` where a run may change what is there; it may read it, too. */
  readonly access: 'read' | 'write'
  /** As which end `run.started` names it. */
  readonly end?: 'source' | 'target'
}

/**
 * Something that is gone afterwards, and that no other run of ours brings back; or so much of a table at once that its name is asked for. What `diff --undo`
 * takes back is not destroyed.
 */
export type Destruction<O> = {
  readonly what: string
  /** Only where this field is on or given; else always. */
  readonly when?: FieldOf<O>
  /** Not where one of these fields is on. */
  readonly unless?: readonly FieldOf<O>[]
  /** Field that holds the name of what may go, said twice. */
  readonly confirm?: FieldOf<O>
  /**
   * A terminal asks for the name before anything begins: `Type NAME`, then these words. Absent: only the flag holds the
   * name, or a run asks when it has counted.
   */
  readonly asked?: string
  /** Where that name stands, for whoever shows the dry run and then asks. */
  readonly named?: NamedBy<O>
  /** The name is not asked for where all counts of the dry run, except that of tables, are 0. */
  readonly counted?: true
  /**
   * A wrong name is refused before anything begins, and these words stand before the right one. Absent: the run compares
   * the two.
   */
  readonly against?: string
  /**
   * What the operation does to that name: without a name and without a terminal it is refused before anything begins.
   * Absent: the run refuses it.
   */
  readonly refused?: (name: string) => string
}

/** A field of the operation, whose first name counts, or `several` where it holds none or more than one; or a field of an event of its dry run: nothing goes where no such event comes. */
export type NamedBy<O> =
  | { readonly field: FieldOf<O>; readonly several?: string }
  | {
      readonly event: RunEventType
      readonly field: string
      /** Only of an event with these values, or one of several. */
      readonly where?: Readonly<Record<string, string | readonly string[]>>
      /** A field whose name may be typed too, and counts where no event gives one. */
      readonly or?: FieldOf<O>
    }

/** Another command that tells what stands before this one, and changes nothing. */
export type Look = {
  /** With its action: `partition plan`. Operands stay. */
  readonly command: string
  /** Options that it is given too; the config file is always among them. */
  readonly keeps: readonly string[]
  /** Words that are added. */
  readonly add?: readonly string[]
}

/** Types of what an operation may say between `run.started` and `run.finished`. */
export type RunEventType = Exclude<EventType, 'run.started' | 'run.finished'>

export type Declaration<O extends { readonly kind: string }, E extends RunEventType = RunEventType> = {
  readonly kind: O['kind']
  /** The command that starts it, or the name of one that it shares with the operation that declares it. */
  readonly command: CommandDeclaration | string
  /** Where its fields stand on the command line; read by hand (`cli/readers.ts`) where neither this nor `actions` is there. */
  readonly words?: Words<O>
  /** The same, where it is some of the actions of a command: `archive list`. */
  readonly actions?: Actions<O>
  /** How `run.started` names it, where that is not its kind. */
  readonly event?: string
  readonly shape: Shape
  /** A run of it looks whether it is held, and goes on when it is no more. Copies have more to steer, and say so by themselves. */
  readonly pauses?: true
  /** A run of it works at several tables at once, and may be told at how many; copies say so by themselves, too. */
  readonly lanes?: true
  /** What the UI says while it runs: `importing`. Its kind where nothing is said. */
  readonly doing?: string
  readonly stores: readonly StoreField<O>[]
  /** Field with the names of what it is about; of several the first that says any. */
  readonly about?: FieldOf<O> | readonly FieldOf<O>[]
  /** Nothing is destroyed where it is absent. */
  readonly destroys?: readonly Destruction<O>[]
  /** Field that asks for the plan alone: then nothing is changed. */
  readonly plans?: FieldOf<O>
  /**
   * How several machines share it (`--distributed`); nobody else's work where it is absent. `chunks`: any number work on it at once, by the ledger, unless one of
   * those fields is on. `parts`: one worker at a time has it, or one each of the names in a field; whoever has it next goes on. `stream`: always, or with that
   * field on, it has a stream that one worker has as a whole, and others compare with it.
   */
  readonly distributes?: {
    readonly by: 'chunks' | 'parts'
    readonly unless?: readonly FieldOf<O>[]
    readonly field?: FieldOf<O>
    readonly stream?: true | FieldOf<O>
    /** An end that one machine would find in the ledger, without its password: workers need the name of a store. */
    readonly needs?: 'from' & FieldOf<O>
  }
  /** Causes that an alert of it may have; it takes none where it is absent. `by`: fields that were in the scope of versions before (`alertKeyBefore`); no more come. `how`: fields of its own that say how it works, and tell no alerts apart (`alertKey`). */
  readonly alerts?: {
    readonly causes: readonly AlertCause[]
    readonly by?: readonly FieldOf<O>[]
    readonly how?: readonly FieldOf<O>[]
  }
  /** It may come again by a schedule: always, or only where that field is on. */
  readonly comesAgain?: true | FieldOf<O>
  /** Fields with which it goes on until somebody stops it: no schedule would see its end. */
  readonly endless?: readonly FieldOf<O>[]
  /** Events of its dry run that say how it goes about it, and not what is due: where they change, what was confirmed for a schedule is void. */
  readonly marks?: readonly E[]
  /** What is looked at before it, where there is no such field. */
  readonly look?: Look
  /** Field that says how rows are written, where it answers with rows. */
  readonly rows?: FieldOf<O>
  /** No run of it can say anything else: the compiler gives it no other words. */
  readonly events: readonly E[]
}
