//! One member of a resource: its name, its shape, where it may stand, and what an update does with it.

/// One member of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The name, as in files.
    pub name: &'static str,
    /// What its value is.
    pub shape: Shape,
    /// Whether it may stand in a file.
    pub in_file: bool,
    /// Whether an answer has it.
    pub in_answer: bool,
    /// Whether a call that makes the resource may say it.
    pub in_create: bool,
    /// Whether a call that changes the resource may say it.
    pub in_update: bool,
    /// Whether a call that makes the resource must say it.
    pub is_required: bool,
    /// Whether `""`, `[]` or `{}` stands for no value.
    pub is_cleared_by_empty: bool,
    /// Whether only WebSocket APIs have it (`R20.9`).
    pub is_of_web_sockets: bool,
    /// A value that is accepted and not kept, since it changes nothing.
    pub dropped: Option<Value>,
    /// What an answer says where the file says nothing.
    pub default: Option<Value>,
    /// What an update does with the value that is there.
    pub update: Update,
}

/// What a value is. Lengths are in characters.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A text.
    Text {
        /// Least characters.
        least: usize,
        /// Most characters.
        most: usize,
    },
    /// One of a few texts.
    OneOf(&'static [&'static str]),
    /// A whole number.
    Integer {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
    /// A number that is not negative.
    Number,
    /// Yes or no.
    Boolean,
    /// A list of texts.
    Texts {
        /// Most characters of one.
        most: usize,
    },
    /// Texts by name.
    TextMap {
        /// Least characters of a value.
        least: usize,
        /// Most characters of a value.
        most: usize,
    },
    /// Texts by name, by status.
    TextMaps,
    /// An object with these members.
    Object(&'static [Member]),
    /// A list of such objects.
    Objects(&'static [Member]),
    /// Such objects by name.
    ObjectMap(&'static [Member]),
    /// A value that no call can set.
    Other,
}

/// A value of the model.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A text.
    Text(&'static str),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
    /// An object without members.
    EmptyObject,
    /// A list without items.
    EmptyList,
}

/// What an update does with the value that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The new value takes its place.
    Replace,
    /// Entries take the place of those with their name, and others stay.
    Merge,
    /// As [`Update::Merge`], and an empty entry takes out that with its name.
    MergeAndRemove,
}

/// Characters of a text that the model bounds nowhere.
const UNBOUNDED: usize = usize::MAX;

impl Member {
    /// A member of files, calls and answers.
    pub const fn new(name: &'static str, shape: Shape) -> Member {
        Member {
            name,
            shape,
            in_file: true,
            in_answer: true,
            in_create: true,
            in_update: true,
            is_required: false,
            is_cleared_by_empty: false,
            is_of_web_sockets: false,
            dropped: None,
            default: None,
            update: Update::Replace,
        }
    }

    /// A text with so many characters.
    pub const fn text(name: &'static str, least: usize, most: usize) -> Member {
        Member::new(name, Shape::Text { least, most })
    }

    /// A text of any length but none.
    pub const fn any_text(name: &'static str) -> Member {
        Member::text(name, 1, UNBOUNDED)
    }

    /// A description, which an empty text clears.
    pub const fn description() -> Member {
        Member::text("Description", 0, 1024).cleared_by_empty()
    }

    /// Tags. Their texts are checked apart, since a call of their own sets them too.
    pub const fn tags() -> Member {
        let shape = Shape::TextMap {
            least: 0,
            most: UNBOUNDED,
        };
        Member::new("Tags", shape).create_only().default(Value::EmptyObject)
    }

    /// Yes or no.
    pub const fn boolean(name: &'static str) -> Member {
        Member::new(name, Shape::Boolean)
    }

    /// A list of texts.
    pub const fn texts(name: &'static str) -> Member {
        Member::new(name, Shape::Texts { most: UNBOUNDED })
    }

    /// A member that no call sets: the gateway does.
    pub const fn set_here(name: &'static str, shape: Shape) -> Member {
        let mut member = Member::new(name, shape);
        member.in_create = false;
        member.in_update = false;
        member
    }

    /// A member of answers that no file needs to have; in one that is copied from an answer it has no effect.
    pub const fn answered(name: &'static str) -> Member {
        let mut member = Member::set_here(name, Shape::Other);
        member.in_answer = false;
        member
    }

    /// A member that files have and AWS has not.
    pub const fn of_files(name: &'static str, shape: Shape) -> Member {
        let mut member = Member::set_here(name, shape);
        member.in_answer = false;
        member
    }

    /// A member of calls that changes other resources than the one it is said of.
    pub const fn of_calls(name: &'static str, shape: Shape) -> Member {
        let mut member = Member::new(name, shape);
        member.in_file = false;
        member.in_answer = false;
        member
    }

    /// A member that only WebSocket APIs have.
    pub const fn of_web_sockets(name: &'static str) -> Member {
        let mut member = Member::of_calls(name, Shape::Other);
        member.is_of_web_sockets = true;
        member
    }

    /// That a call which makes the resource must say it.
    pub const fn required(mut self) -> Member {
        self.is_required = true;
        self
    }

    /// That no update may say it.
    pub const fn create_only(mut self) -> Member {
        self.in_update = false;
        self
    }

    /// That an empty value clears it.
    pub const fn cleared_by_empty(mut self) -> Member {
        self.is_cleared_by_empty = true;
        self
    }

    /// A value that is accepted and not kept.
    pub const fn drops(mut self, value: Value) -> Member {
        self.dropped = Some(value);
        self
    }

    /// What an answer says where the file says nothing.
    pub const fn default(mut self, value: Value) -> Member {
        self.default = Some(value);
        self
    }

    /// What an update does with the value that is there.
    pub const fn update(mut self, update: Update) -> Member {
        self.update = update;
        self
    }
}
