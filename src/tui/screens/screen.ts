/** What the frame, the keys and the help need from a screen. `index.ts` has one entry for each screen. */
import type { Line } from '../draw/line.ts'
import type { KeyGroup } from '../keymap/binding.ts'
import type { Move } from '../state/position.ts'
import type { Screen, State } from '../state/state.ts'

/** What `y` copies: a text and its description, or a command line. */
export type Copied = { readonly text: string; readonly what: string } | { readonly command: string }

export type ScreenEntry = {
  /** Title of its tab. */
  readonly title: string
  /** The screen whose tab is marked while this one is open; absent if this one has a tab itself. */
  readonly under?: Screen
  /** The screen that the next session begins with, if the user leaves this session here. */
  readonly next: Screen
  /** Groups of keys on its help page, in order. */
  readonly keys: readonly KeyGroup[]
  /**
   * The group of keys for the row under the cursor or for the run. The help explains why a key of this group does
   * nothing.
   */
  readonly ownKeys?: KeyGroup
  /** Title of the help page; default: the title of the tab. */
  readonly helpTitle?: (state: State) => string
  /** All lines between head and foot. */
  readonly draw: (state: State, cells: number) => Line[]
  /** What is open, for the right end of the head. */
  readonly crumbs?: (state: State) => string
  /** Moves the cursor of the focused list. */
  readonly move: (state: State, move: Move) => State
  /**
   * Called after every change, on any screen. Keeps each cursor visible and on its row, or moves it to an existing row.
   */
  readonly keepCursor: (before: State, after: State) => State
  /** Closes the innermost open element. If none is open, closes the screen. */
  readonly back: (state: State) => State
  /** The object under the cursor as text for a shell or a query; null if there is none. */
  readonly copied: (state: State) => Copied | null
}

/** Leaves the screen for Tables. */
export const toTables = (state: State): State => ({ ...state, screen: 'tables' })
