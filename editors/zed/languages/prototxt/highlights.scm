(comment) @comment
(field_name) @property
(string) @string
(number) @number
(scalar_value (identifier)) @constant
(scalar_value (signed_identifier)) @number
